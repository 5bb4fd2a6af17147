/** Orval writes the address of the server into what it generates, or leaves the request to a function like this one. */
export type Place = RequestInit & { baseUrl?: string };

export async function orvalFetch<Response>(path: string, { baseUrl, ...init }: Place): Promise<Response> {
  const response = await fetch(`${baseUrl}${path}`, init);
  return { data: await response.json(), status: response.status, headers: response.headers } as Response;
}
