/**
 * The calls of a conversation, in the contract's own types. Each generated client is put behind them, so that it compiles
 * only if what was generated says the same as the contract: `any`, `unknown` or a mere `string` for a code does not fit.
 */
import type { components } from '../../src/contract.d.ts';

type Schemas = components['schemas'];

export type Answer<Data, Problem = Schemas['Problem']> = {
  data: Data | undefined;
  problem: Problem | undefined;
};

export type Calls = {
  register(body: Schemas['Registration']): Promise<Answer<Schemas['Account']>>;
  login(body: Schemas['Credentials']): Promise<Answer<Schemas['Login']>>;
  sendDirect(to: string, body: Schemas['NewMessage'], key: string): Promise<Answer<Schemas['DirectMessage']>>;
  sendBroadcast(body: Schemas['NewMessage'], key: string): Promise<Answer<Schemas['BroadcastMessage']>>;
  listDirect(username: string, after: number): Promise<Answer<Schemas['MessagePage']>>;
  listBroadcasts(after: number): Promise<Answer<Schemas['BroadcastPage']>>;
  listConversations(): Promise<Answer<Schemas['ConversationPage']>>;
  getMailbox(): Promise<Answer<Schemas['Mailbox']>>;
  ackMailbox(body: Schemas['Acknowledgement']): Promise<Answer<Schemas['Unread']>>;
};

/** A client of one person; without a token, of somebody who has not logged in. */
export type Connect = (baseUrl: string, token?: string) => Calls;

type Known<Type> = 0 extends 1 & Type ? 'the generator has lost this type' : Type;

/** An `any` would fit everything: here it becomes something that fits nothing. */
export const answer = <Data, Problem>(
  data: Data | undefined,
  problem: Problem | undefined,
): Answer<Known<Data>, Known<Problem>> => ({
  data: data as Known<Data> | undefined,
  problem: problem as Known<Problem> | undefined,
});
