/** Orval hard-codes the server URL unless requests go through a custom function like this one. */
export type Place = RequestInit & { baseUrl?: string };

export async function orvalFetch<Response>(path: string, { baseUrl, ...init }: Place): Promise<Response> {
  const response = await fetch(`${baseUrl}${path}`, init);
  return { data: await response.json(), status: response.status, headers: response.headers } as Response;
}
