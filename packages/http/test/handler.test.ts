import { createWebhook, type RequestWithResponse, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { WorldError } from "@perdure/core/errors";
import { configure, createWorker } from "@perdure/core/runtime";
import { MemoryState, memoryWorld } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { standardWebhooks, webhookHandler } from "@perdure/http";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { serve } from "./server.ts";

// The handler behind a real server. Who takes requests and who executes workflows have Worlds of their own on one store.

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const answers = step("handler//answers", async (request: RequestWithResponse) => {
  await request.respondWith(new Response(`got ${await request.text()}`, { headers: { "x-by": "a step" } }));
});
const manual = workflow("handler//manual", async (token: string) => {
  const request = await createWebhook({ token, respondWith: "manual" });
  await answers(request);
});
const payments = workflow("handler//payments", async (token: string) => {
  const got: unknown[] = [];
  for await (const request of createWebhook({ token, method: "POST", verify: standardWebhooks(SECRET) })) {
    const event = (await request.json()) as { readonly type: string };
    got.push(event.type);
    if (event.type === "closed") return got;
  }
});
const addressed = workflow("handler//addressed", async () => {
  const webhook = createWebhook();
  await tell(webhook.url);
  return (await webhook).method;
});
const told: string[] = [];
const tell = step("handler//tell", async (url: string) => void told.push(url));

async function cluster(url?: string): Promise<World> {
  const state = new MemoryState();
  const world = memoryWorld({ state });
  configure({ world, worker: false, ...(url !== undefined && { url }) });
  const worker = createWorker({ world: memoryWorld({ state }), logger: "silent" });
  await worker.start();
  onTestFinished(() => worker.close());
  return memoryWorld({ state });
}

const registered = (world: World, token: string) =>
  expect.poll(async () => (await world.getNames([`hook:${token}`], Date.now()))[0]).not.toBeNull();

test("a step answers the request, over the wire", async () => {
  const world = await cluster();
  const url = await serve(webhookHandler({ world, logger: "silent" }));
  const run = await start(manual, ["manual"]);
  await registered(world, "manual");
  const response = await fetch(`${url}/anywhere/manual`, { method: "POST", body: "hello" });
  expect([response.status, response.headers.get("x-by"), await response.text()]).toEqual([
    200,
    "a step",
    "got hello",
  ]);
  await run.returnValue;
  expect((await fetch(`${url}/anywhere/manual`)).status).toBe(404);
});

test("what is signed is delivered once, and nothing else", async () => {
  const world = await cluster();
  const url = await serve(
    webhookHandler({ world, basePath: "/hooks/", maxBodyBytes: 200, logger: "silent" }),
  );
  const run = await start(payments, ["pay"]);
  await registered(world, "pay");
  const send = async (id: string, body: string, path = "/hooks/pay", age = 0): Promise<number> => {
    const at = new Date(Date.now() - age);
    const headers = {
      "webhook-id": id,
      "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
      "webhook-signature": new Webhook(SECRET).sign(id, at, body),
    };
    return (await fetch(url + path, { method: "POST", headers, body })).status;
  };
  const opened = '{"type":"opened"}';
  expect(await send("msg_1", opened, "/hooks/pay", 400_000)).toBe(401);
  expect((await fetch(`${url}/hooks/pay`, { method: "POST", body: opened })).status).toBe(401);
  expect((await fetch(`${url}/hooks/pay`)).status).toBe(405);
  expect(await send("msg_1", JSON.stringify({ type: "x".repeat(200) }))).toBe(413);
  for (const path of ["/hooks/other", "/hooks/", "/hooks/pay/more", "/pay", "/hooks/%ff"]) {
    expect(await send("msg_1", opened, path), path).toBe(404);
  }
  expect([await send("msg_1", opened), await send("msg_1", opened)]).toEqual([202, 202]);
  expect(await send("msg_2", '{"type":"closed"}')).toBe(202);
  expect(await run.returnValue).toEqual(["opened", "closed"]);
});

test("the webhook's URL is that of the program, and leads to the handler", async () => {
  let handle: (request: Request) => Promise<Response> = async () => new Response();
  const url = await serve((request) => handle(request));
  handle = webhookHandler({ world: await cluster(`${url}/`), logger: "silent" });
  const run = await start(addressed, []);
  await expect.poll(() => told[0]).toMatch(new RegExp(`^${url}/\\.well-known/workflow/v1/webhook/[\\w-]+$`));
  expect((await fetch(told[0] as string, { method: "DELETE" })).status).toBe(202);
  expect(await run.returnValue).toBe("DELETE");
});

test("a store that does not answer is 503, and the log says so", async () => {
  const errors: string[] = [];
  const down = () => Promise.reject(new WorldError("the store is down", { retryable: true }));
  const broken = memoryWorld({ state: new MemoryState(), beforeOperation: down });
  const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) };
  const response = await webhookHandler({ world: broken, logger })(new Request("http://a/hooks/x"));
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "30"]);
  expect(errors).toHaveLength(1);
});

test("a path that is none is refused", () => {
  expect(() => webhookHandler({ basePath: "hooks" })).toThrow(/begins with "\/"/);
});
