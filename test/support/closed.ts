/**
 * The contract leaves answers and events open, so that they may grow. What this server answers must be in the contract all
 * the same: for the tests every object has the fields that it is said to have, and no more.
 */
import { type Document, loadContract } from '../../src/http/openapi.ts';

export const closedDocument: Document = close(structuredClone(loadContract().document));

function close<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) close(inner);
  if ('type' in value && value.type === 'object' && 'properties' in value)
    Object.assign(value, { additionalProperties: false });
  return value;
}
