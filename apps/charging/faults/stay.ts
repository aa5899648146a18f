import { workflow, once, step, setState } from "perdure";
import { getRun, start } from "perdure/api";
import { configure, sqliteWorld } from "perdure/runtime";
const what = process.argv[2]!;
configure({ world: sqliteWorld({ path: `/tmp/stay-${process.pid}.db` }), worker: false });
const flow = workflow("flow", async () => { setState(1); });
const st = step("st", async () => 1);
const run = await start(flow, [], { idempotencyKey: "k" });
const acts: Record<string, () => Promise<unknown>> = {
  returnValue: () => run.returnValue, result: () => run.result({ timeout: "60s" }), getState: () => run.getState({ after: 0 }), read: () => run.getReadable().getReader().read(),
  chunks: async () => { for await (const c of run.chunks()) console.log(c); }, releaseKey: () => run.releaseKey(), replace: () => start(flow, [], { idempotencyKey: "k", onConflict: "replace" }), once: () => once("k", st),
};
try { await acts[what]!(); console.log("RESOLVED", what); } catch (e) { console.log("rejected", what, String(e).slice(0, 160)); }
