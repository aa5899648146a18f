import type { Store } from "./store.ts";

/** Which answer belongs to which path. */

/** What an endpoint gets. */
export interface Call {
  readonly store: Store;
  readonly request: Request;
  /** Of the path, decoded: `id` of `/api/runs/:id`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

/** Gives what is sent as JSON, or an answer of its own. Throws what `failureOf` knows. */
export type Endpoint = (call: Call) => unknown;

/** The endpoints of one path, by method. */
export interface Route {
  readonly path: string;
  readonly GET?: Endpoint;
  readonly POST?: Endpoint;
}

/** The first route that a path fits, and what stands in its places; `null` if there is none. */
export function routeFor(
  routes: readonly Route[],
  path: string,
): { readonly route: Route; readonly params: Readonly<Record<string, string>> } | null {
  const parts = path.split("/");
  for (const route of routes) {
    const params = paramsOf(route.path.split("/"), parts);
    if (params !== null) return { route, params };
  }
  return null;
}

function paramsOf(pattern: readonly string[], parts: readonly string[]): Record<string, string> | null {
  if (pattern.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [at, wanted] of pattern.entries()) {
    const part = parts[at] as string;
    if (wanted.startsWith(":")) {
      const decoded = decodedPart(part);
      if (decoded === null || decoded === "") return null;
      params[wanted.slice(1)] = decoded;
    } else if (wanted !== part) return null;
  }
  return params;
}

function decodedPart(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
