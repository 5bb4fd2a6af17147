/**
 * The calls of a conversation, in the types of the contract. Each generated client is adapted to them, so that it compiles
 * only if its types match the contract: `any`, `unknown` or a plain `string` for a code does not.
 */
import type { components } from '../../src/contract.d.ts';

type Schemas = components['schemas'];

export type Result<Data, Problem = Schemas['Problem']> = {
  data: Data | undefined;
  problem: Problem | undefined;
};

export type Calls = {
  register(body: Schemas['Registration']): Promise<Result<Schemas['Account']>>;
  login(body: Schemas['Credentials']): Promise<Result<Schemas['Login']>>;
  sendDirect(to: string, body: Schemas['NewMessage'], key: string): Promise<Result<Schemas['DirectMessage']>>;
  sendBroadcast(body: Schemas['NewMessage'], key: string): Promise<Result<Schemas['BroadcastMessage']>>;
  listDirect(username: string, after: number): Promise<Result<Schemas['MessagePage']>>;
  listBroadcasts(after: number): Promise<Result<Schemas['BroadcastPage']>>;
  listConversations(): Promise<Result<Schemas['ConversationPage']>>;
  getMailbox(): Promise<Result<Schemas['Mailbox']>>;
  ackMailbox(body: Schemas['Acknowledgement']): Promise<Result<Schemas['Unread']>>;
};

/** Connects as one user; without a token, as an anonymous client. */
export type Connect = (baseUrl: string, token?: string) => Calls;

type Known<Type> = 0 extends 1 & Type ? 'the generator has lost this type' : Type;

/** Turns `any`, which would match every type, into a type that matches none. */
export const result = <Data, Problem>(
  data: Data | undefined,
  problem: Problem | undefined,
): Result<Known<Data>, Known<Problem>> => ({
  data: data as Known<Data> | undefined,
  problem: problem as Known<Problem> | undefined,
});
