// What the pages need beside their sources, where a node that runs from its sources looks for it.
import { bundlePage, copyReference } from '../../scripts/page.mjs';

export default async () => {
  await bundlePage('src/web');
  copyReference('src/http/docs');
};
