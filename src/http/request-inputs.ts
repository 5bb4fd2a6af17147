/** Checks the inputs of a request against the contract. */
import { parse } from 'node:querystring';
import { type InputError, Problem } from '../chat/problems.ts';
import type { Route } from './openapi.ts';
import type { PathParameters } from './path-router.ts';
import type { ParleyRequest } from './request-context.ts';

type Values = Record<string, unknown>;
export type Parameters = { path: Values; query: Values; header: Values };
const NONE: Parameters = { path: {}, query: {}, header: {} };

/** Throws `validation_failed`. */
export function checkParameters(
  route: Route,
  pathParameters: PathParameters,
  { target, headers }: ParleyRequest,
): Parameters {
  if (!route.hasParameters) return NONE;
  const flat: Values = {};
  for (const name in pathParameters) flat[`path/${name}`] = pathParameters[name];
  if (target.query)
    for (const [name, value] of Object.entries(parse(target.query))) flat[`query/${name}`] = value;
  for (const name of route.headers) {
    const value = headers[name.toLowerCase()];
    if (value !== undefined) flat[`header/${name}`] = value;
  }
  for (const [former, name] of route.renamed) if (former in flat) flat[name] ??= flat[former];
  throwIfAny(route.checkParameters(flat));
  const inputs: Parameters = { path: {}, query: {}, header: {} };
  for (const place in flat) {
    const slash = place.indexOf('/');
    inputs[place.slice(0, slash) as keyof Parameters][place.slice(slash + 1)] = flat[place];
  }
  return inputs;
}

/** Throws `validation_failed`. */
export function checkBody(check: NonNullable<Route['checkBody']>, body: unknown): unknown {
  throwIfAny(
    body === undefined ? [{ pointer: '', message: 'The body is missing. Send JSON.' }] : check(body),
  );
  return body;
}

function throwIfAny(errors: InputError[]): void {
  const [first] = errors;
  if (!first) return;
  const where = first.pointer ? `${first.pointer} ` : '';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  throw new Problem('validation_failed', `${where}${first.message}${more}`, { errors });
}
