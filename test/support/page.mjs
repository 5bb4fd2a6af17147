// The page's script and sheets, bundled where a node that runs from its sources looks for them.
import { bundlePage } from '../../scripts/page.mjs';

export default async () => {
  await bundlePage('src/web');
};
