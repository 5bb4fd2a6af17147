// What the pages need beside their sources, where a node that runs from its sources looks for it.
import { bundlePage, copyReference } from '../../scripts/bundle.mjs';

export default async () => {
  await bundlePage('clients/web');
  copyReference('src/http/docs');
};
