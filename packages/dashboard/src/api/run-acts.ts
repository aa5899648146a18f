import { type Client, cancelling, decode } from "@perdure/core/inspect";
import { ApiFailure } from "../answers.ts";
import type { ActResult, RunAct } from "../protocol.ts";
import type { Call } from "../routes.ts";
import type { Store } from "../store.ts";
import { type Body, bodyOf } from "./body.ts";
import { eventAt, rowOf } from "./run-values.ts";

/** What is done to one run, to a hook, and the start of one. */

type Doing = (run: ReturnType<Client["getRun"]>, body: Body, store: Store) => Promise<ActResult>;

const ACTS: Readonly<Record<RunAct, Doing>> = {
  async cancel(run, body) {
    await cancelling(reasonIn(body)).one(run);
    return { said: "Asked to end.", runId: run.runId };
  },
  async terminate(run, body) {
    await cancelling({ ...reasonIn(body), terminate: true }).one(run);
    return { said: "Terminated.", runId: run.runId };
  },
  async retry(run, body) {
    const next = await run.retry({ keys: body.choice("keys", ["keep", "new"]) ?? "keep" });
    const said = next.runId === run.runId ? "Is tried again." : `Goes on as ${next.runId}.`;
    return { said, runId: next.runId };
  },
  async fork(run, body) {
    const args = body.array("args");
    const forked = await run.fork({
      fromStep: body.needed("fromStep"),
      ...(args !== undefined && { args }),
    });
    return { said: `Forked as ${forked.runId}.`, runId: forked.runId };
  },
  async wake(run) {
    const { stoppedCount } = await run.wakeUp();
    const said = stoppedCount === 1 ? "1 sleep ended." : `${stoppedCount} sleeps ended.`;
    return { said, runId: run.runId };
  },
  async delete(run) {
    await run.delete();
    return { said: "Deleted.", runId: run.runId };
  },
  async again({ runId }, body, store) {
    const { workflow, attributes, firstSeq } = await rowOf(store, runId);
    const args = body.array("args") ?? (await argsOf(store, runId, firstSeq));
    const own = Object.entries(attributes).filter(([name]) => !name.startsWith("$"));
    const key = body.text("key");
    const started = await store.client.start({ workflowId: workflow }, args, {
      attributes: Object.fromEntries(own),
      ...(key !== undefined && { idempotencyKey: key }),
    });
    return { said: `Started ${started.runId}.`, runId: started.runId };
  },
};

function reasonIn(body: Body): { readonly reason?: string } {
  const reason = body.text("reason");
  return reason === undefined ? {} : { reason };
}

/** @throws {SerializationError} where this process cannot read them, such as an instance of a class that it does not have */
async function argsOf(store: Store, runId: string, firstSeq: number): Promise<unknown[]> {
  const first = await eventAt(store, runId, firstSeq);
  return (decode(first?.data ?? null) ?? []) as unknown[];
}

/** POST `api/runs/:id/:act` */
export async function actOnRun({ store, request, params }: Call): Promise<ActResult> {
  const { id = "", act = "" } = params;
  const doing = Object.hasOwn(ACTS, act) ? ACTS[act as RunAct] : undefined;
  if (doing === undefined) {
    throw new ApiFailure(404, "not_found", `There is no act ${act}: ${Object.keys(ACTS).join(", ")}.`);
  }
  return await doing(store.client.getRun(id), await bodyOf(request), store);
}

/** POST `api/runs` */
export async function startRun({ store, request }: Call): Promise<ActResult> {
  const body = await bodyOf(request);
  const [workflowId, args] = [body.needed("workflow"), body.array("args") ?? []];
  const [key, attributes] = [body.text("key"), body.texts("attributes")];
  const { runId } = await store.client.start({ workflowId }, args, {
    ...(key !== undefined && { idempotencyKey: key }),
    ...(attributes !== undefined && { attributes }),
  });
  return { said: `Started ${runId}.`, runId };
}

/** POST `api/hooks/deliver` */
export async function deliver({ store, request }: Call): Promise<ActResult> {
  const body = await bodyOf(request);
  const [token, key] = [body.needed("token"), body.text("key")];
  const options = key === undefined ? {} : { idempotencyKey: key };
  const { runId } = await store.client.resumeHook(token, body.value("payload"), options);
  return { said: `Delivered to ${runId}.`, runId };
}
