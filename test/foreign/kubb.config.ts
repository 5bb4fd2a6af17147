/** Kubb accepts plugins only from a configuration file. */
import { defineConfig } from '@kubb/core';
import { pluginClient } from '@kubb/plugin-client';
import { pluginOas } from '@kubb/plugin-oas';
import { pluginTs } from '@kubb/plugin-ts';
import { pluginZod } from '@kubb/plugin-zod';

const into = (path: string) => ({ output: { path, barrelType: false as const } });

export default defineConfig({
  root: '.',
  input: { path: process.env['CONTRACT'] ?? '' },
  output: { path: 'generated/kubb', barrelType: false, format: false, lint: false },
  plugins: [
    pluginOas({ generators: [], validate: true }),
    pluginTs(into('types.ts')),
    pluginZod(into('zod.ts')),
    pluginClient({ ...into('client.ts'), client: 'fetch', parser: 'zod', dataReturnType: 'full' }),
  ],
});
