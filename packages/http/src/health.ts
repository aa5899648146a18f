import type { Worker } from "@perdure/core/runtime";

/** The answer to a container's probe: how the worker of this process is. */

/**
 * A handler of `Request → Response` that tells how a worker is: 200 if `worker.health().ok`, else 503, with `worker.health()` as JSON. It
 * asks no store, so it answers at once. Who can reach it sees the store's error messages (without passwords), and no values of runs.
 *
 * Takes GET and HEAD, whatever the path; 405 for everything else.
 *
 * @example
 * ```ts
 * const worker = createWorker({ world });
 * await worker.start();
 * const health = healthHandler(worker);
 * console.log(health(new Request("http://localhost/health")).status);
 * ```
 */
export function healthHandler(worker: Pick<Worker, "health">): (request: Request) => Response {
  return ({ method }) => {
    if (method !== "GET" && method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const health = worker.health();
    const headers = { "content-type": "application/json", "cache-control": "no-store" };
    const body = method === "HEAD" ? null : JSON.stringify(health);
    return new Response(body, { status: health.ok ? 200 : 503, headers });
  };
}
