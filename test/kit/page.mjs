// The script and the styles of the page, where a node that runs from its sources looks for them.
import { bundlePage } from '../../scripts/bundle.mjs';

export default async () => {
  await bundlePage('clients/web');
};
