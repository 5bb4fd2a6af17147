// docs/explanation/scale.md: the model agrees with what was measured, and the page shows what the script prints.
import { describe, expect, test } from 'vitest';
import { mostAccounts, nodesFor, ratesOf, redisBytes, simulate } from '../../bench/scale/model.ts';
import { type Name, PARAMETERS, valuesOf } from '../../bench/scale/parameters.ts';
import { pointsOf } from '../../bench/scale/points.ts';
import { fleetTable, tablesOf } from '../../bench/scale/tables.ts';
import { parseArguments, readPerformance, written } from '../../bench/simulate.ts';

const performance = readPerformance();
const one = valuesOf();
const MAX_ERROR = 0.2;
const errorOf = ({ model, measured }: { model: number; measured: number }): number =>
  Math.abs(model / measured - 1);

test('docs/explanation/scale.md shows the tables of the script (npm run simulate -- --docs)', () => {
  const { text, rendered } = written();
  expect(text).toBe(rendered);
  for (const each of Object.values(tablesOf(performance))) expect(text).toContain(each);
});

describe('the model is within 20 % of each measurement', () => {
  test.each(pointsOf(performance, one))('$figure: $what', (point) => {
    expect(errorOf(point)).toBeLessThanOrEqual(MAX_ERROR);
  });

  const measured = Object.entries(PARAMETERS).flatMap(([name, { source }]) =>
    source === 'measured' ? [name as Name] : [],
  );

  test.each(measured)('%s is compared with a measurement', (name) => {
    const points = pointsOf(performance, { ...one, [name]: one[name] * 2 });
    expect(points.some((point) => errorOf(point) > MAX_ERROR)).toBe(true);
  });
});

describe('arithmetic', () => {
  test('rates follow from the accounts', () => {
    const v = valuesOf({
      onlineShare: 0.1,
      dmsPerAccountAndDay: 20,
      peakFactor: 3,
      connectsPerAccountAndDay: 2,
    });
    const rates = ratesOf(86_400_000, v);
    expect(rates.streams).toBeCloseTo(8_640_000);
    expect(rates.dms).toBeCloseTo(60_000);
    expect(rates.connects).toBeCloseTo(6_000);
    expect(rates.presenceChanges).toBeCloseTo(12_000);
  });

  test('a hundred million accounts, ten million streams: everything is finite, and more than one master is needed', () => {
    for (const isCluster of [false, true]) {
      const fleet = simulate(100_000_000, valuesOf({}, isCluster));
      expect(fleet.rates.streams).toBe(10_000_000);
      expect(fleet.nodes).toBe(500);
      expect(fleet.mastersByCpu).toBeGreaterThan(1);
      expect(fleet.mastersByMemory).toBeGreaterThan(fleet.mastersByCpu);
    }
  });

  test('memory is proportional to the days that messages are stored', () => {
    const bytes = (retentionDays: number) => redisBytes(1_000, valuesOf({ retentionDays })).total;
    expect(bytes(3) - bytes(2)).toBeCloseTo(bytes(2) - bytes(1));
    expect(bytes(0)).toBe(redisBytes(1_000, one).accounts);
  });

  test('nodes are added until their event loops suffice', () => {
    const busy = valuesOf({ broadcastsPerSecond: 100 });
    expect(nodesFor(ratesOf(1_000_000, one), one)).toBe(5);
    expect(nodesFor(ratesOf(1_000_000, busy), busy)).toBe(222); // 111 cores
  });

  test('no number of nodes suffices if hearing presence changes fills each of them', () => {
    const v = valuesOf({ nodeHearChangeMicros: 5_000 });
    expect(nodesFor(ratesOf(100_000_000, v), v)).toBe(Number.POSITIVE_INFINITY);
    expect(fleetTable(v)).toContain('none suffice');
  });

  test('one more bcrypt cost doubles its cores', () => {
    const cores = (bcryptCost: number) => simulate(1_000_000, valuesOf({ bcryptCost })).bcryptCores;
    expect(cores(13)).toBeCloseTo(2 * cores(12));
  });

  test('the most accounts are found to the thousand', () => {
    expect(mostAccounts((accounts) => accounts <= 1_234_567)).toBe(1_234_000);
    expect(mostAccounts(() => false)).toBe(0);
  });
});

describe('arguments', () => {
  test('replace parameters and choose the number of accounts', () => {
    expect(parseArguments(['onlineShare=0.3', 'accounts=2500000'])).toEqual({
      accounts: 2_500_000,
      overrides: { onlineShare: 0.3 },
    });
  });

  test.each([
    ['onlineshare=1', 'There is no parameter onlineshare. Known: accounts, onlineShare'],
    ['onlineShare', '"onlineShare" is not name=number.'],
    ['onlineShare=many', '"onlineShare=many" is not name=number.'],
    ['onlineShare=-1', '"onlineShare=-1" is not name=number.'],
  ])('%s is rejected', (arg, message) => {
    expect(() => parseArguments([arg])).toThrow(message);
  });
});
