/** Orval accepts some options only from a configuration file. */
export default {
  parley: {
    input: process.env['CONTRACT'],
    output: {
      target: 'generated/orval/client.ts',
      client: 'fetch',
      headers: true,
      override: {
        mutator: { path: 'clients/orval-fetch.ts', name: 'orvalFetch' },
        // With two media types it sends JSON without a Content-Type, which fetch then declares as text/plain.
        contentType: { exclude: ['text/plain'] },
      },
    },
  },
};
