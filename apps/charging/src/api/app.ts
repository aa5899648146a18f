// The API of the charging app: charges as Stripe has them, refunds of our own, and a report. What stands before its handlers and
// keeps a request from being carried out twice comes in from outside, as does who watches its requests.

import { AsyncLocalStorage } from "node:async_hooks";
import { Hono } from "hono";
import { type Moment, nobodyWatches, type Watch } from "../servers/moments.ts";
import { type Handler, postCharge, postRefund } from "./handlers.ts";
import { type Provider, reportOf } from "./report.ts";

/** Makes a handler one that is called once per request of a client, however often that is sent. */
export type Guard = (handler: Handler, mode: "ietf" | "stripe") => (request: Request) => Promise<Response>;

export interface ApiOptions {
  guard: Guard;
  provider: Provider;
  watch?: Watch;
  /** Which of the API servers this is. */
  door?: number;
}

/** The API as a Hono app, which `app.request()` calls without a server. */
export function createApi({ guard, provider, watch = nobodyWatches, door = 0 }: ApiOptions): Hono {
  const app = new Hono();
  const current = new AsyncLocalStorage<Omit<Moment, "phase">>();
  const requestsOf = new Map<string, number>();
  let requests = 0;

  /** The handler behind the guard, with the moments of each request reported. */
  function watched(effect: "charge" | "refund", mode: "ietf" | "stripe", handler: Handler) {
    const guarded = guard(async (request, startKey) => {
      const response = await handler(request, startKey);
      const moment = current.getStore();
      if (moment) await watch({ ...moment, phase: "executed" });
      return response;
    }, mode);
    return async (request: Request): Promise<Response> => {
      const customer = customerIn(await request.clone().text());
      const n = (requestsOf.get(customer) ?? 0) + 1;
      requestsOf.set(customer, n);
      const moment = { server: "api" as const, effect, request: ++requests, door, customer, n };
      await watch({ ...moment, phase: "arrived" });
      const response = await current.run(moment, () => guarded(request));
      await watch({ ...moment, phase: "ended" });
      return response;
    };
  }

  app.use(async (c, next) => {
    if (c.req.header("authorization")?.startsWith("Bearer ")) return next();
    const message = "You did not provide an API key: send one as 'Authorization: Bearer YOUR_KEY'.";
    return c.json({ error: { type: "invalid_request_error", message } }, 401);
  });
  const charge = watched("charge", "stripe", postCharge);
  const refund = watched("refund", "ietf", postRefund);
  app.post("/v1/charges", (c) => charge(c.req.raw));
  app.post("/refunds", (c) => refund(c.req.raw));
  app.onError((error) => {
    if (error instanceof Response) return error;
    console.error(error);
    return new Response("Something went wrong: send the request again, with the same key.", { status: 500 });
  });
  app.get("/report", async (c) => c.json({ customers: await reportOf(provider) }));
  app.get("/customers/:customer", async (c) => {
    const [report] = await reportOf(provider, c.req.param("customer"));
    return report ? c.json(report) : c.json({ title: "There is no such customer", status: 404 }, 404);
  });
  return app;
}

/** For the watcher only: the customer that a body of either form names. */
function customerIn(body: string): string {
  try {
    return String((JSON.parse(body) as { customer?: unknown }).customer ?? "");
  } catch {
    return new URLSearchParams(body).get("customer") ?? "";
  }
}
