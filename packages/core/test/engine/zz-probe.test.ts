import { createHook, createWebhook, getStepMetadata, once, sleep, step, workflow, acquireLock } from "@perdure/core";
import { start, getRun } from "@perdure/core/api";
import { FatalError } from "@perdure/core/errors";
import { expect, it, beforeEach } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

const calls: string[] = [];
const broken = new Set<string>();
beforeEach(() => { calls.splice(0); broken.clear(); });
const charge = step("charges", async (what: string) => {
  calls.push(what);
  if (broken.has(what)) throw new FatalError(`${what} is broken`);
  return `${what} done`;
});
const child = workflow("child", async (what: string) => { await charge(`pre ${what}`); return await charge(what); });
const parent = workflow("middle", async (what: string) => { await charge(`middle ${what}`); return await (await start(child, [what])).returnValue; });

async function go(name: string, flow: () => Promise<unknown>, fails: string[], during: (c: any) => Promise<void> = async () => {}, opts: {retries?: number, keys?: any} = {}) {
  const c = cluster();
  const w = await c.process({ alwaysReplay: true });
  for (const f of fails) broken.add(f);
  let run = await c.client.start<unknown>(workflow(name, flow), []);
  await c.settle();
  await during(c);
  const first = await c.until(run.returnValue.catch((e: Error) => e.message));
  await c.settle();
  const before = calls.splice(0);
  for (let i = 1; i < (opts.retries ?? 1); i++) { run = await run.retry(); await c.until(run.returnValue.catch(() => {})); }
  broken.clear();
  const again = await run.retry(opts.keys ? { keys: opts.keys } : {});
  await c.settle();
  w.kill();
  await c.clock.advance(LEASE + 1);
  const p2 = await c.process({ alwaysReplay: true });
  let second: unknown = "hangs";
  again.returnValue.then((v) => { second = v; }, (e: Error) => { second = `failed: ${e.message}`; });
  for (let i = 0; i < 30 && second === "hangs"; i++) await c.clock.advance(60_000);
  console.log(JSON.stringify({ name, first: String(first).slice(-120), before, second, after: calls }, null, 0), "\n", c.types(again.runId).join(" "), p2.logs.filter((l) => l.level === "error" || l.level === "warn").map((l) => l.message + JSON.stringify(l.fields)).join("\n"));
  return c;
}
const all = async (...ps: Promise<unknown>[]) => {
  const rs = await Promise.allSettled(ps);
  return rs.map((r) => { if (r.status === "rejected") throw r.reason; return r.value; });
};

it("child in a branch, completed after the cut", async () => {
  await go("p1", () => all(charge("bad"), (async () => { await charge("x"); await charge("x2"); return await (await start(child, ["kid"])).returnValue; })()), ["bad"]);
});
it("fails through its child", async () => {
  await go("p2", async () => { await charge("a"); return await (await start(child, ["kid"])).returnValue; }, ["kid"]);
});
it("fails through its grandchild, twice", async () => {
  await go("p2g", async () => { await charge("a"); return await (await start(parent, ["kid"])).returnValue; }, ["kid"], undefined, { retries: 3 });
});
it("fails through children side by side", async () => {
  await go("p2s", async () => all(...["a", "b", "c"].map(async (x) => (await start(child, [x])).returnValue)), ["a", "c"]);
});
it("new keys", async () => {
  await go("p2k", async () => { await charge("a"); return await (await start(child, ["kid"])).returnValue; }, ["kid"], undefined, { keys: "new" });
});
it("once in a branch", async () => {
  await go("p3", () => all(charge("bad"), (async () => { await charge("x"); await charge("x2"); return await once("k", charge, "oncething"); })()), ["bad"]);
});
it("once fails", async () => {
  await go("p3b", async () => once("k", charge, "oncething"), ["oncething"]);
});
it("once kept fails", async () => {
  await go("p3k", async () => once({key: "k", onError: "keep"}, charge, "oncething"), ["oncething"]);
});
it("hook in a branch", async () => {
  await go("p4", () => all(charge("bad"), (async () => { await charge("x"); await charge("x2"); const h = createHook<string>({ token: "tok" }); return [await h, await charge("after")]; })(), sleep("1m")), ["bad"], async (c) => { await c.client.resumeHook("tok", "pay"); await c.settle(); });
});
it("random token hook in a branch", async () => {
  let token = "";
  const tell = step("tell", async (t: string) => { calls.push("tell"); token = t; });
  await go("p4b", () => all(charge("bad"), (async () => { await charge("x"); await charge("x2"); const h = createHook<string>(); await tell(h.token); return [await h, await charge("after")]; })(), sleep("1m")), ["bad"], async (c) => { await c.client.resumeHook(token, "pay"); await c.settle(); });
});
it("lock in a branch", async () => {
  await go("p5", () => all(charge("bad"), (async () => { await charge("x"); await charge("x2"); { await using l = await acquireLock("L"); await charge("in lock"); } return await charge("y"); })()), ["bad"]);
});
it("sleep in a branch", async () => {
  await go("p6", () => all(charge("bad"), (async () => { await charge("x"); await charge("x2"); await sleep("10m"); return await charge("y"); })()), ["bad"]);
});
