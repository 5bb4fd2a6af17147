// Preloaded into a node to give it a wrong clock: CLOCK_SHIFT_MS is the offset.
const shiftMs = Number(process.env['CLOCK_SHIFT_MS']);
const realNow = Date.now;

globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length > 0 ? args : [realNow() + shiftMs]));
  }
  static now() {
    return realNow() + shiftMs;
  }
};
