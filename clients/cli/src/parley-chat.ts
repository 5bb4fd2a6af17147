#!/usr/bin/env node
/** The command `parley-chat`, for `npx parley-chat`: starts a server; with arguments it is the command `parley`. */
if (process.argv.length === 2) process.argv.push('serve');
await import('./main.ts');
