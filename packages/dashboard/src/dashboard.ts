import { resolveLogger } from "@perdure/core/runtime";
import type { World } from "@perdure/core/world";
import type { Connection } from "@perdure/http/node";
import { admit, checkAct } from "./access.ts";
import { ApiFailure, apiError, failureOf, json, safe } from "./answers.ts";
import { api } from "./api/index.ts";
import { type DashboardOptions, type Terms, termsOf } from "./options.ts";
import { pageFile } from "./page-file.ts";
import { routeFor } from "./routes.ts";
import { Store } from "./store.ts";

/** The dashboard as one handler: who may look, then the page's files, the JSON API and its events. */

/**
 * A dashboard. The adapters for frameworks take it. `connection` is what is known of the client's address; a server that passes none is
 * judged by the request alone.
 */
export type Dashboard = (request: Request, connection?: Connection) => Promise<Response>;

/**
 * Makes a dashboard of the runs of a World, for any server of `Request → Response`. It executes nothing: runs are executed by workers. Mount
 * it at `basePath` with everything below it, for GET and POST.
 *
 * @throws {TypeError} for an option that cannot be meant; without `authorize` where `NODE_ENV` is `production`
 * @example
 * ```ts
 * const dashboard = createDashboard({
 *   basePath: "/admin/perdure",
 *   authorize: (request) => isAdmin(request.headers.get("cookie")),
 * });
 * const answer = await dashboard(request);
 * ```
 */
export function createDashboard(options: DashboardOptions = {}): Dashboard {
  const terms = termsOf(options);
  return async (request, connection = {}) => {
    try {
      return (await admit(request, connection, terms)) ?? (await answer(request, terms));
    } catch (error) {
      return failed(error);
    }
  };
}

const logger = resolveLogger(undefined);

function failed(error: unknown): Response {
  const failure = failureOf(error);
  if (failure.status === 500) logger.error("the dashboard failed to answer a request", { error });
  return json(apiError(failure), failure.status);
}

/** Viewers of one World share what was read, whichever dashboard they look at. */
const stores: Readonly<Record<"all" | "readOnly", WeakMap<World, Store>>> = {
  all: new WeakMap(),
  readOnly: new WeakMap(),
};

function storeOf({ world, readOnly }: Terms): Store {
  const shared = stores[readOnly ? "readOnly" : "all"];
  const here = world();
  const store = shared.get(here) ?? new Store(here, readOnly);
  shared.set(here, store);
  return store;
}

async function answer(request: Request, terms: Terms): Promise<Response> {
  const url = new URL(request.url);
  const { basePath } = terms;
  if (url.pathname !== basePath && !url.pathname.startsWith(`${basePath}/`)) {
    const message = `The dashboard is at ${basePath}/. Mount it there, or say where it is with basePath.`;
    throw new ApiFailure(404, "not_found", message);
  }
  const path = url.pathname.slice(basePath.length + 1);
  return path === "api" || path.startsWith("api/")
    ? await answerApi(request, terms, path, url.searchParams)
    : answerPage(request, basePath, path);
}

async function answerApi(
  request: Request,
  terms: Terms,
  path: string,
  query: URLSearchParams,
): Promise<Response> {
  const found = routeFor(api, path);
  if (found === null) throw new ApiFailure(404, "not_found", `There is no ${path} here.`);
  const { route, params } = found;
  const { method } = request;
  const endpoint = method === "GET" || method === "POST" ? route[method] : undefined;
  if (endpoint === undefined) {
    const allow = (["GET", "POST"] as const).filter((one) => route[one] !== undefined).join(", ");
    const refusal = new ApiFailure(405, "bad_request", `${path} takes ${allow}.`);
    return json(apiError(refusal), 405, { allow });
  }
  const store = storeOf(terms);
  const acts = method === "POST";
  if (acts) checkAct(request, terms);
  try {
    const given = await endpoint({ store, request, params, query });
    return given instanceof Response ? given : json(given);
  } finally {
    if (acts) store.kept.clear();
  }
}

function answerPage({ method, url, headers: asked }: Request, basePath: string, path: string): Response {
  if (method !== "GET" && method !== "HEAD") {
    return safe(null, 405, { allow: "GET, HEAD" });
  }
  const file = pageFile(path === "" ? "index.html" : path);
  if (file === null) throw new ApiFailure(404, "not_found", "There is no such page.");
  const { type, body, gzip, immutable } = file;
  const headers = {
    "content-type": type,
    "cache-control": immutable ? "private, max-age=31536000, immutable" : "no-cache",
    vary: "accept-encoding",
  };
  if (method === "HEAD") return safe(null, 200, headers);
  if (path === "" && !new URL(url).pathname.endsWith("/"))
    return safe(fromAbove(body, basePath), 200, headers);
  if (!/\bgzip\b/.test(asked.get("accept-encoding") ?? "")) return safe(body, 200, headers);
  return safe(gzip, 200, { ...headers, "content-encoding": "gzip" });
}

/** The page under an address without a slash at its end, where some servers redirect to: its files are one folder further down. */
function fromAbove(body: Uint8Array, basePath: string): string {
  const folder = basePath.slice(basePath.lastIndexOf("/") + 1);
  return new TextDecoder().decode(body).replaceAll(/\b(src|href)="\.\//g, `$1="./${folder}/`);
}
