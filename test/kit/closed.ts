/**
 * The contract leaves responses and events open, so that they may grow. This server must still send only fields that are
 * in the contract, so the tests close every object.
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
