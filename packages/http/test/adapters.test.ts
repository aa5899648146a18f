import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve as serveHono } from "@hono/node-server";
import { MemoryState, memoryWorld } from "@perdure/core/testing";
import {
  type IdempotencyContext,
  type IdempotentOptions,
  idempotentExpress,
  idempotentFastify,
  idempotentHono,
  idempotentNext,
} from "@perdure/http";
import express, { type ErrorRequestHandler } from "express";
import fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { type Context, Hono } from "hono";
import { describe, expect, onTestFinished, test } from "vitest";
import { serve } from "./server.ts";

// The adapters, each behind the real server of its framework: all answer the same.

/** What each handler does with the body, which is JSON. */
interface Effects {
  readonly of: string[];
  /** Throws what the body asks for. */
  act(
    body: { readonly say: string },
    context: IdempotencyContext,
  ): { readonly n: number; readonly said: string };
}

function effects(): Effects {
  const of: string[] = [];
  return {
    of,
    act({ say }, { begin, attempt }) {
      of.push(`${say} ${attempt}`);
      if (say === "too early") throw new Error("before it began");
      begin();
      if (say === "too late") throw new Error("after it began");
      return { n: of.length, said: say };
    },
  };
}

function listens(server: Server): string {
  onTestFinished(() => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Serve = (effects: Effects, options: IdempotentOptions) => Promise<string>;

const frameworks: Readonly<Record<string, Serve>> = {
  hono: async ({ act }, options) => {
    const app = new Hono();
    app.onError((_error, c) => c.text("failed", 500));
    app.use(async (c, next) => {
      // Somebody reads the body before.
      if (c.req.query("early") !== undefined) await c.req.json();
      await next();
    });
    app.post(
      "/charges",
      idempotentHono(
        async (c: Context, context) => c.json(act(await c.req.json(), context), 201, { "x-by": "it" }),
        options,
      ),
    );
    const server = serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
    await new Promise((resolve) => server.once("listening", resolve));
    return listens(server);
  },
  express: async ({ act }, options) => {
    const app = express();
    const charge = idempotentExpress((req: express.Request, res: express.Response, context) => {
      const body = Buffer.isBuffer(req.body) ? JSON.parse(req.body.toString()) : req.body;
      res.status(201).set("x-by", "it").json(act(body, context));
    }, options);
    app.post("/charges", express.json(), charge);
    app.post("/raw", charge);
    const failed: ErrorRequestHandler = (_error, _req, res, _next) => void res.status(500).end("failed");
    app.use(failed);
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    return listens(server);
  },
  fastify: async ({ act }, options) => {
    const app = fastify();
    app.post(
      "/charges",
      idempotentFastify(async (request: FastifyRequest, reply: FastifyReply, context) => {
        const answer = act(request.body as { say: string }, context);
        reply.code(201).header("x-by", "it");
        return answer;
      }, options),
    );
    await app.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => app.close());
    return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  },
  next: async ({ act }, options) => {
    const POST = idempotentNext(async (request: Request, route: { params: string }, context) => {
      return Response.json(act((await request.json()) as { say: string }, context), {
        status: 201,
        headers: { "x-by": route.params },
      });
    }, options);
    return await serve((request) =>
      POST(request, { params: "it" }).catch(() => new Response("failed", { status: 500 })),
    );
  },
};

describe.each(Object.entries(frameworks))("%s", (name, serveIt) => {
  async function begin() {
    const made = effects();
    const world = memoryWorld({ state: new MemoryState() });
    const url = await serveIt(made, { world, logger: "silent" });
    const send = async (key: string | null, say: string, path = "/charges") => {
      const response = await fetch(url + path, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-api-key": "a",
          ...(key !== null && { "idempotency-key": key }),
        },
        body: JSON.stringify({ say }),
      });
      const { status, headers } = response;
      return [status, headers.get("idempotent-replayed"), headers.get("x-by"), await response.text()];
    };
    return { made, send };
  }

  test("answers once, and the same again", async () => {
    const { made, send } = await begin();
    const body = '{"n":1,"said":"hello"}';
    expect(await send("k", "hello")).toEqual([201, null, "it", body]);
    expect(await send('"k"', "hello")).toEqual([201, "true", "it", body]);
    expect((await send("k", "other"))[0]).toBe(422);
    expect((await send(null, "other"))[0]).toBe(400);
    expect((await send("l", "x".repeat(90_000)))[3]).toContain("x".repeat(90_000));
    expect(made.of).toHaveLength(2);
  });

  test("a failure before begin() leaves the key, and one after it uses it up", async () => {
    const { made, send } = await begin();
    for (const n of [1, 2]) expect((await send("k", "too early"))[0], `${n}`).toBe(500);
    const first = await send("l", "too late");
    expect(first.slice(0, 2)).toEqual([500, null]);
    expect(await send("l", "too late")).toEqual([500, "true", first[2], first[3]]);
    expect(made.of).toEqual(["too early 1", "too early 1", "too late 1"]);
  });

  test("of many at once one is handled", async () => {
    const { made, send } = await begin();
    const answers = await Promise.all(Array.from({ length: 8 }, () => send("k", "hello")));
    expect(made.of).toEqual(["hello 1"]);
    expect(answers.every(([status]) => status === 201 || status === 409)).toBe(true);
  });

  if (name === "hono" || name === "express") {
    test("the body may have been read, or not", async () => {
      const { send } = await begin();
      const path = name === "hono" ? "/charges?early" : "/raw";
      const [status, , , body] = await send("k", "hello", path);
      expect([status, body]).toEqual([201, '{"n":1,"said":"hello"}']);
      expect((await send("k", "hello", path))[1]).toBe("true");
    });
  }
});

test.each(["express", "fastify"])("a handler of %s that never ends its response gets 504", async (name) => {
  const world = memoryWorld({ state: new MemoryState() });
  const options: IdempotentOptions = { world, logger: "silent", timeout: 20 };
  let url: string;
  if (name === "express") {
    const app = express();
    app.post(
      "/charges",
      idempotentExpress(() => {}, options),
    );
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    url = listens(server);
  } else {
    const app = fastify();
    app.post(
      "/charges",
      idempotentFastify(() => new Promise(() => {}), options),
    );
    await app.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => app.close());
    url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  }
  const headers = { "content-type": "application/json", "x-api-key": "a", "idempotency-key": "k" };
  const answer = await fetch(`${url}/charges`, { method: "POST", headers, body: "{}" });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([504, "application/problem+json"]);
});
