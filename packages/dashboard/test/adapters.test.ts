import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve as serveHono } from "@hono/node-server";
import { step, workflow } from "@perdure/core";
import {
  type ActResult,
  type Dashboard,
  dashboardExpress,
  dashboardFastify,
  dashboardHono,
  dashboardNext,
  dashboardNode,
  type Info,
  type RunPage,
} from "@perdure/dashboard";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventUntil, house, until } from "./house.ts";

// The adapters, each behind the real server of its framework.

const echo = step("echo", async (text: string) => text);
const echoes = workflow("echoes", async (text: string) => await echo(text));

function listens(server: Server): string {
  onTestFinished(() => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return listens(server);
}

const servers: Readonly<Record<string, (dashboard: Dashboard) => Promise<string>>> = {
  node: (dashboard) => listening(createServer(dashboardNode(dashboard))),
  express: (dashboard) => {
    const app = express();
    app.use("/ops", dashboardExpress(dashboard));
    return listening(createServer(app));
  },
  "express with a body parser": (dashboard) => {
    const app = express();
    app.use(express.json());
    app.use("/ops", dashboardExpress(dashboard));
    return listening(createServer(app));
  },
  fastify: async (dashboard) => {
    const app = fastify();
    const handler = dashboardFastify(dashboard);
    app.route({ method: ["GET", "POST"], url: "/ops", handler });
    app.route({ method: ["GET", "POST"], url: "/ops/*", handler });
    await app.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => app.close());
    return listens(app.server);
  },
  hono: async (dashboard) => {
    const app = new Hono();
    app.all("/ops/*", dashboardHono(dashboard));
    return await new Promise((resolve) => {
      const server = serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () =>
        resolve(listens(server as Server)),
      );
    });
  },
  next: (dashboard) => {
    // As Next calls it: its own request, which is one of the platform's.
    const { GET, POST } = dashboardNext(dashboard);
    return listening(
      createServer(
        dashboardNode(async (request) => await (request.method === "POST" ? POST(request) : GET(request))),
      ),
    );
  },
};

describe.each(Object.keys(servers))("%s", (name) => {
  test("answers, acts, and tells of changes until the client goes", async () => {
    const { dashboard, begin } = await house();
    let open = 0;
    const counted: Dashboard = async (request, connection) => {
      const answer = await dashboard(request, connection);
      if (!request.url.includes("/live/")) return answer;
      open++;
      const { readable, writable } = new TransformStream();
      (answer.body as ReadableStream)
        .pipeTo(writable)
        .catch(() => {})
        .finally(() => open--);
      return new Response(readable, answer);
    };
    const at = `${await (servers[name] as (dashboard: Dashboard) => Promise<string>)(counted)}/ops`;

    const info = await fetch(`${at}/api/info`);
    expect(info.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(((await info.json()) as Info).world).toBe("memory");
    expect((await fetch(`${at}/api/nothing`)).status).toBe(404);

    const post = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
      await fetch(`${at}/${path}`, {
        method: "POST",
        body: JSON.stringify({ workflow: "echoes", args: ["täglich"] }),
        headers: { "content-type": "application/json", ...headers },
      });
    const started = (await (await post("api/runs")).json()) as ActResult;
    expect(started.said).toBe(`Started ${started.runId}.`);
    expect((await post("api/runs", { origin: "https://evil.example" })).status).toBe(403);
    expect((await post("api/runs", { origin: new URL(at).origin })).status).toBe(200);
    await until(
      async () => (await (await fetch(`${at}/api/runs?status=completed`)).json()) as RunPage,
      ({ runs }) => runs.length === 2,
    );

    const gone = new AbortController();
    const live = await fetch(`${at}/api/live/runs?workflow=echoes`, { signal: gone.signal });
    expect(live.headers.get("content-type")).toBe("text/event-stream");
    const third = eventUntil(
      live,
      ({ event, data }) => event === "page" && (data as RunPage).runs.length === 3,
    );
    await begin(echoes, ["again"]);
    await third;
    gone.abort();
    await until(
      () => Promise.resolve(open),
      (count) => count === 0,
    );
  });

  test("refuses clients of other machines", async () => {
    const { dashboard } = await house({ worker: false });
    const at = await (servers[name] as (dashboard: Dashboard) => Promise<string>)(dashboard);
    expect(
      (await fetch(`${at}/ops/api/info`, { headers: { "x-forwarded-for": "203.0.113.9" } })).status,
    ).toBe(403);
  });
});
