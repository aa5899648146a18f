import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fetch as durableFetch, step, workflow } from "@perdure/core";
import { coldReplay } from "@perdure/core/testing";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { cluster } from "./cluster.ts";

// The durable fetch, against a real server.

const platform = globalThis.fetch;
const got: string[] = [];
let failures = 0;
const server = createServer((message, answer) => {
  message.setEncoding("utf8");
  let body = "";
  message.on("data", (text: string) => {
    body += text;
  });
  message.on("end", () => {
    got.push(`${message.method} ${message.url} ${message.headers["x-a"] ?? ""} ${body}`);
    if (failures-- > 0) message.socket.destroy();
    else if (message.url === "/moved") answer.writeHead(302, { location: "/there" }).end();
    else
      answer
        .writeHead(message.url === "/missing" ? 404 : 200, { "content-type": "text/x" })
        .end(`for ${body}`);
  });
});
let url = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
});
afterEach(() => {
  globalThis.fetch = platform;
  got.length = 0;
  failures = 0;
});

/** Lets real requests be answered while the clock of the cluster moves on. */
async function meanwhile<T>(c: ReturnType<typeof cluster>, promise: Promise<T>): Promise<T> {
  let over = false;
  const settled = promise.finally(() => {
    over = true;
  });
  settled.catch(() => {});
  while (!over) {
    await c.clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return await settled;
}

it("is a step of its own in a workflow: sent once, and the same response in a replay", async () => {
  const c = cluster();
  const flow = workflow("fetches", async (base: string) => {
    const init = { method: "POST", headers: { "x-a": "1" }, body: "tea" };
    const [posted, missing] = await Promise.all([
      durableFetch(`${base}/there`, init),
      durableFetch(new URL("/missing", base)),
    ]);
    return [posted.ok, posted.url, posted.headers.get("content-type"), await posted.text(), missing.status];
  });
  await c.process();
  const run = await c.client.start(flow, [url]);
  expect(await meanwhile(c, run.returnValue)).toEqual([true, `${url}/there`, "text/x", "for tea", 404]);
  expect(got.sort()).toEqual(["GET /missing  ", "POST /there 1 tea"]);
  const replayed = await coldReplay(c.row(run.runId), c.journal(run.runId), c.clock);
  expect(replayed).toMatchObject({ outcome: "returned", unmatched: [] });
  expect(got).toHaveLength(2);
});

it("tries again when no response came, and follows redirects or not", async () => {
  const c = cluster();
  const flow = workflow("is redirected", async (base: string) => {
    const followed = await durableFetch(`${base}/moved`);
    const { status } = await durableFetch(`${base}/moved`, { redirect: "manual" });
    return [followed.url, followed.redirected, status];
  });
  await c.process();
  failures = 1;
  const run = await c.client.start(flow, [url]);
  expect(await meanwhile(c, run.returnValue)).toEqual([`${url}/there`, true, 302]);
  expect(c.types(run.runId).filter((type) => type === "step_retrying")).toHaveLength(1);
});

it("is the plain one in a step, also as the global one", async () => {
  const c = cluster();
  const plain = step("fetches plainly", async (base: string) => [
    await (await durableFetch(`${base}/a`)).text(),
    await (await fetch(`${base}/b`)).text(),
  ]);
  const flow = workflow("sets the global one", async (base: string) => {
    globalThis.fetch = durableFetch;
    const response = await fetch(`${base}/global`);
    return [await response.text(), ...(await plain(base))];
  });
  await c.process();
  const run = await c.client.start(flow, [url]);
  expect(await meanwhile(c, run.returnValue)).toEqual(["for ", "for ", "for "]);
  expect(c.types(run.runId).filter((type) => type === "step_created")).toHaveLength(2);
  expect(await (await fetch(`${url}/outside`)).text()).toBe("for ");
});
