import type { ApiError } from "../protocol.ts";
import { PATHS } from "../protocol.ts";
import { base } from "./navigation.ts";

/** Questions to the server, and what went wrong with them in words. */

/** Values of a query string; `null` and `undefined` are left out, of arrays each value is one parameter. */
export type Query = Readonly<Record<string, string | number | readonly string[] | null | undefined>>;

/** An answer that is an error, or none at all. */
export class RequestError extends Error {
  /** The code of the API; `away` where the server does not answer. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Where a path of {@link PATHS} is, with the values of its `:names`. */
export function pathOf(
  name: keyof typeof PATHS,
  values: Readonly<Record<string, string>> = {},
  query: Query = {},
): string {
  const path = PATHS[name].replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(values[key] ?? ""));
  const wanted = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) wanted.append(key, String(one));
  }
  const text = wanted.toString();
  return text === "" ? `${base}${path}` : `${base}${path}?${text}`;
}

/** Asks for JSON. @throws {RequestError} */
export async function get<Answer>(url: string, signal?: AbortSignal): Promise<Answer> {
  return await request<Answer>(url, signal === undefined ? {} : { signal });
}

/** Asks for a change. @throws {RequestError} */
export async function post<Answer>(url: string, body: object): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  return await request<Answer>(url, { method: "POST", headers, body: JSON.stringify(body) });
}

async function request<Answer>(url: string, init: RequestInit): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, credentials: "same-origin" });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new RequestError("away", "The server does not answer. Is it still running? Try again.");
  }
  const text = await response.text();
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    const problem = response.ok ? "something else than JSON" : `status ${response.status}`;
    throw new RequestError(
      "unknown",
      `The server answered with ${problem}. Load the page anew to log in again.`,
    );
  }
  if (response.ok) return answer as Answer;
  const { code = "unknown", message = `The server answered with status ${response.status}.` } =
    (answer as Partial<ApiError>).error ?? {};
  throw new RequestError(code, message);
}

/** What to show of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
