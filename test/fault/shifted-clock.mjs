// Loaded before a node that is to have a wrong clock: CLOCK_SHIFT_MS is how far it is off.
const shiftMs = Number(process.env['CLOCK_SHIFT_MS']);
const rightNow = Date.now;

globalThis.Date = class extends Date {
  constructor(...given) {
    super(...(given.length > 0 ? given : [rightNow() + shiftMs]));
  }
  static now() {
    return rightNow() + shiftMs;
  }
};
