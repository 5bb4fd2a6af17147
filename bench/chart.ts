/**
 * Draws horizontal bars as SVG for light and dark pages; the SVG follows the viewer's color scheme. A whisker shows the
 * smallest and the largest run. On a logarithmic axis, bars start at a power of ten and the unit says `log`. Pure.
 */
import type { Row } from './report.ts';

export type Bar = { label: string; value: number; min: number; max: number; isOurs: boolean };
export type Chart = { title: string; unit: string; scale: 'linear' | 'log'; bars: Bar[] };

const WIDTH_PX = 760;
const LABEL_PX = 280;
const VALUE_PX = 110;
const BARS_PX = WIDTH_PX - LABEL_PX - VALUE_PX;
const ROW_PX = 26;
const BAR_PX = 15;
const TOP_PX = 44;
const BOTTOM_PX = 30;
const TICKS = 5;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 } .quiet { fill: #59636e; font-size: 11px }
  .bar { fill: #8c959f } .ours { fill: #0969da } .grid { stroke: #d1d9e0 } .whisker { stroke: #1f2328 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .quiet { fill: #9198a1 }
    .bar { fill: #656c76 } .ours { fill: #4493f8 } .grid { stroke: #3d444d } .whisker { stroke: #f0f6fc }
  }`;

/** One bar for each row. */
export const barOf = ({ value, subject }: Row, label: string): Bar => ({
  ...{ label, value: value.median, min: value.min, max: value.max },
  isOurs: subject.startsWith('parley'),
});

export function drawChart({ title, unit, scale, bars }: Chart): string {
  const height = TOP_PX + bars.length * ROW_PX + BOTTOM_PX;
  const { ticks, x } = axis(scale, bars);
  const bottom = TOP_PX + bars.length * ROW_PX;
  const parts = [
    `<text class="title" x="8" y="20">${escaped(title)}</text>`,
    ...ticks.map((tick) => {
      const at = x(tick).toFixed(1);
      const grid = `<line class="grid" x1="${at}" x2="${at}" y1="${TOP_PX - 6}" y2="${bottom}"/>`;
      return `${grid}<text class="quiet" x="${at}" y="${bottom + 15}" text-anchor="middle">${short(tick)}</text>`;
    }),
    `<text class="quiet" x="${WIDTH_PX - 8}" y="${bottom + 15}" text-anchor="end">${escaped(unit)}${scale === 'log' ? ', log' : ''}</text>`,
    ...bars.map((bar, index) => drawBar(bar, TOP_PX + index * ROW_PX, x)),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH_PX} ${height}" width="${WIDTH_PX}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function drawBar(bar: Bar, top: number, x: (value: number) => number): string {
  const [y, middle] = [top + (ROW_PX - BAR_PX) / 2, top + ROW_PX / 2];
  const width = Math.max(1, x(bar.value) - LABEL_PX).toFixed(1);
  const [from, to] = [x(bar.min).toFixed(1), x(bar.max).toFixed(1)];
  const end = Math.max(x(bar.value), x(bar.max)) + 6;
  return [
    `<text x="${LABEL_PX - 8}" y="${middle + 4}" text-anchor="end">${escaped(bar.label)}</text>`,
    `<rect class="bar${bar.isOurs ? ' ours' : ''}" x="${LABEL_PX}" y="${y}" width="${width}" height="${BAR_PX}" rx="2"/>`,
    bar.min < bar.max ? `<line class="whisker" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/>` : '',
    `<text x="${end.toFixed(1)}" y="${middle + 4}">${short(bar.value)}</text>`,
  ].join('');
}

function axis(scale: Chart['scale'], bars: Bar[]): { ticks: number[]; x: (value: number) => number } {
  const largest = Math.max(...bars.map(({ value, max }) => Math.max(value, max)));
  if (scale === 'linear') {
    const step = niceStep(largest / TICKS);
    const end = Math.ceil(largest / step) * step;
    const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, i) => i * step);
    return { ticks, x: (value) => LABEL_PX + (value / end) * BARS_PX };
  }
  const first = Math.floor(Math.log10(Math.min(...bars.map(({ value, min }) => Math.min(value, min)))));
  const last = Math.max(first + 1, Math.ceil(Math.log10(largest)));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  return { ticks, x: (value) => LABEL_PX + ((Math.log10(value) - first) / (last - first)) * BARS_PX };
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least)!;
}

const short = (value: number): string =>
  value.toLocaleString('en', { maximumSignificantDigits: value >= 1_000 ? 4 : 3 });

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
