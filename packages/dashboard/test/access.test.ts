import { memoryWorld } from "@perdure/core/testing";
import { createDashboard } from "@perdure/dashboard";
import { afterEach, describe, expect, it, vi } from "vitest";
import { house, ORIGIN } from "./house.ts";

// Who may look, and which requests may change something.

afterEach(() => vi.unstubAllEnvs());

const at = (url: string, init: RequestInit = {}): Request => new Request(url, init);

describe("without authorize", () => {
  it("does not come to be in production", () => {
    vi.stubEnv("NODE_ENV", "production");
    expect(() => createDashboard({ world: memoryWorld() })).toThrow(/authorize/);
    expect(() => createDashboard({ world: memoryWorld(), authorize: () => false })).not.toThrow();
  });

  it("answers requests of this machine, and no others", async () => {
    const { dashboard } = await house({ worker: false });
    const status = async (url: string, init?: RequestInit, remoteAddress?: string): Promise<number> =>
      (await dashboard(at(url, init), { remoteAddress })).status;
    expect(await status("http://localhost:3000/ops/api/info")).toBe(200);
    expect(await status("http://127.0.0.1/ops/api/info", {}, "127.0.0.1")).toBe(200);
    expect(await status("http://[::1]:80/ops/api/info", {}, "::ffff:127.0.0.1")).toBe(200);
    expect(await status("https://ops.example.com/ops/api/info")).toBe(403);
    expect(await status("http://localhost.example.com/ops/api/info")).toBe(403);
    expect(await status("http://localhost/ops/api/info", {}, "10.0.0.7")).toBe(403);
    const forwarded = { headers: { "x-forwarded-for": "203.0.113.9" } };
    expect(await status("http://localhost/ops/api/info", forwarded, "127.0.0.1")).toBe(403);
    expect(await (await dashboard(at("https://ops.example.com/ops/"))).json()).toMatchObject({
      error: { code: "forbidden", message: expect.stringContaining("authorize") },
    });
  });

  it("answers everybody in development", async () => {
    vi.stubEnv("NODE_ENV", "development");
    const { dashboard } = await house({ worker: false });
    expect((await dashboard(at("https://ops.example.com/ops/api/info"))).status).toBe(200);
  });
});

it("is for this machine alone with authorize: loopback, in production too", async () => {
  vi.stubEnv("NODE_ENV", "production");
  const { dashboard } = await house({ worker: false, authorize: "loopback" });
  const status = async (url: string, remoteAddress: string): Promise<number> =>
    (await dashboard(at(url), { remoteAddress })).status;
  expect(await status("http://localhost/ops/api/info", "127.0.0.1")).toBe(200);
  expect(await status("http://localhost/ops/api/info", "192.168.0.4")).toBe(403);
  // Another site's name that was made to mean this machine.
  expect(await status("http://evil.example/ops/api/info", "127.0.0.1")).toBe(403);
});

describe("with authorize", () => {
  it("asks it for every request, the page's files included", async () => {
    const asked: string[] = [];
    const { dashboard } = await house({
      worker: false,
      authorize(request) {
        const { pathname } = new URL(request.url);
        asked.push(pathname);
        if (pathname.endsWith("/info")) return true;
        if (pathname.endsWith("/keys"))
          throw new Error("the session store is away: redis://user:secret@host");
        return pathname.endsWith("/hooks") ? Response.redirect("https://example.com/login", 302) : false;
      },
    });
    const get = async (path: string): Promise<Response> =>
      await dashboard(at(`https://ops.example.com/ops/${path}`));
    expect((await get("api/info")).status).toBe(200);
    expect((await get("api/hooks")).headers.get("location")).toBe("https://example.com/login");
    expect((await get("api/runs")).status).toBe(403);
    expect((await get("index.html")).status).toBe(403);
    const failed = await get("api/keys");
    expect(failed.status).toBe(500);
    expect(await failed.text()).not.toContain("secret");
    expect(asked).toHaveLength(5);
  });

  it("answers 500 whatever it throws or gives, and says nothing of it", async () => {
    const fail = (): never => {
      throw new Error("secret");
    };
    const hostile = new Proxy({}, { get: fail, has: fail, getPrototypeOf: fail });
    const unreadable = Object.defineProperty(new Error("unreadable"), "message", { get: fail });
    for (const thrown of [hostile, unreadable, new TypeError("secret"), undefined, null]) {
      for (const authorize of [() => Promise.reject(thrown), () => hostile as never]) {
        const { dashboard } = await house({ worker: false, authorize });
        const answer = await dashboard(at(`${ORIGIN}/ops/api/info`));
        expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining("secret")]);
      }
    }
  });

  it("takes no truthy value for a yes", async () => {
    const { dashboard } = await house({ worker: false, authorize: (() => "no") as never });
    expect((await dashboard(at(`${ORIGIN}/ops/api/info`))).status).toBe(403);
  });
});

describe("acts", () => {
  const body = { workflow: "none", args: [] };

  it("are for the dashboard's own page, and for programs that mean them", async () => {
    const { send } = await house({ worker: false });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await send("api/runs", body, headers)).status;
    expect(await status({})).toBe(200);
    expect(await status({ origin: ORIGIN })).toBe(200);
    expect(await status({ origin: "https://ops.example.com", "sec-fetch-site": "same-origin" })).toBe(200);
    expect(await status({ origin: "https://evil.example" })).toBe(403);
    expect(await status({ origin: "null" })).toBe(403);
    expect(await status({ origin: ORIGIN, "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await status({ origin: ORIGIN, "sec-fetch-site": "same-site" })).toBe(403);
    expect(await status({ "content-type": "text/plain" })).toBe(415);
    expect(await status({ "content-type": "application/x-www-form-urlencoded" })).toBe(415);
  });

  it("are refused by a dashboard that only shows, and nothing is done", async () => {
    const { send, get } = await house({ worker: false, readOnly: true });
    const paths = ["runs", "bulk", "hooks/deliver"].concat(
      ["again", "cancel", "terminate", "retry", "fork", "wake", "delete"].map((act) => `runs/wrun_1/${act}`),
    );
    for (const path of paths) {
      const answer = await send(`api/${path}`, body);
      expect([path, answer.status, await answer.json()]).toEqual([
        path,
        403,
        { error: { code: "read_only", message: expect.any(String) } },
      ]);
    }
    expect(await get("api/runs")).toMatchObject({ runs: [] });
    expect(await get("api/info")).toMatchObject({ readOnly: true });
  });
});

it("protects whatever it answers", async () => {
  const { dashboard } = await house({ worker: false });
  for (const path of ["api/info", "api/nothing", "api/live/runs", "index.html"]) {
    const { headers, body } = await dashboard(at(`${ORIGIN}/ops/${path}`));
    await body?.cancel();
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  }
});

it("is where its basePath says", async () => {
  const { dashboard } = await house({ worker: false });
  const status = async (path: string): Promise<number> => (await dashboard(at(`${ORIGIN}${path}`))).status;
  expect(await status("/opsapi/info")).toBe(404);
  expect(await status("/api/info")).toBe(404);
  expect(await status("/ops/api/info")).toBe(200);
  expect(() => createDashboard({ basePath: "ops" })).toThrow(/basePath/);
  expect(() => createDashboard({ readonly: true } as never)).toThrow(/readonly/);
  const root = createDashboard({ world: memoryWorld() });
  expect((await root(at(`${ORIGIN}/api/info`))).status).toBe(200);
});

it("says which methods a path takes, and what it cannot mean", async () => {
  const { dashboard, send } = await house({ worker: false });
  const put = await dashboard(at(`${ORIGIN}/ops/api/runs`, { method: "PUT", body: "{}" }));
  expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, POST"]);
  for (const path of [
    "runs?status=dead",
    "runs?limit=0",
    "runs?from=soon",
    "runs?attribute=x",
    "charts?range=1y",
  ]) {
    const answer = await dashboard(at(`${ORIGIN}/ops/api/${path}`));
    expect([path, answer.status]).toEqual([path, 400]);
  }
  expect((await send("api/runs", "{")).status).toBe(400);
  expect((await send("api/runs", [])).status).toBe(400);
  expect((await send("api/bulk", { act: "burn", filter: "" })).status).toBe(400);
});
