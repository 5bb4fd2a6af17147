/** Situations that were measured once, on 1 to 8 nodes and on simulated ones, and what the model says about them. */
import { evictionSeconds } from './model.ts';
import type { Values } from './parameters.ts';

/** `figure` is one of docs/reference/performance.json, or says that it was measured once. */
export type Point = { figure: string; what: string; unit: string; measured: number; model: number };

export const MEASURED_ONCE = 'measured once';

const NODES_TO_BROADCAST_BYTES = { 1: 462, 2: 735, 4: 1_260, 8: 2_338 };
const NODES_TO_HEARTBEAT_MICROS = { 1: 83, 10: 98, 100: 194, 1000: 1_218 };
const ONLINE_TO_EVICTION_SECONDS = { 100000: 2.5, 1000000: 26.6 };

/** @param v the values for one Redis server */
export function countedPoints(v: Values): Point[] {
  const points = (
    measured: Record<string, number>,
    unit: string,
    what: (count: string) => string,
    model: (count: number) => number,
  ): Point[] =>
    Object.entries(measured).map(([key, value]) => ({
      ...{ figure: MEASURED_ONCE, what: what(Number(key).toLocaleString('en')), unit },
      ...{ measured: value, model: model(Number(key)) },
    }));
  return [
    ...points(
      NODES_TO_BROADCAST_BYTES,
      'bytes',
      (nodes) => `a broadcast, nodes: ${nodes}; sent by Redis`,
      (nodes) => v.redisBroadcastBytes + v.redisNotificationBytes * nodes,
    ),
    ...points(
      NODES_TO_HEARTBEAT_MICROS,
      'µs',
      (nodes) => `a heartbeat, nodes: ${nodes}; Redis`,
      (nodes) => v.redisHeartbeatMicros + v.redisHeartbeatNodeMicros * nodes,
    ),
    ...points(
      ONLINE_TO_EVICTION_SECONDS,
      's',
      (online) => `one of 8 nodes dies, online: ${online}; Redis`,
      (online) => evictionSeconds(online, 8, v),
    ),
  ];
}
