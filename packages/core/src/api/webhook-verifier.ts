import type { Clock } from "../clock.ts";
import { guardedExecution } from "../context.ts";
import { installGuard } from "../determinism/index.ts";
import { newExecution, replayJournal } from "../engine/claims/loader.ts";
import { WorkflowRunNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import { liveHook } from "../interpreter/kinds/hook-state.ts";
import { checkEngine } from "../interpreter/kinds/run.ts";
import { type WebhookVerifier, WorkflowWebhook } from "../interpreter/webhook.ts";
import { wholeJournal } from "../journal-pages.ts";
import { largestValue } from "../serialization/index.ts";
import type { HeldName, RunRecord, World } from "../world/index.ts";

/**
 * How a webhook's requests are verified, in the process that takes them. The journal knows only that the workflow gave a
 * `verify`: a secret must not be stored. But what the workflow gave is a function of its code and its journal, so a replay, which
 * writes nothing and executes no step, gives it again wherever the workflow is registered.
 */

/** So many verifiers are kept, the latest ones. */
const KEPT = 200;

/** Verifiers of webhooks of one World. */
export class WebhookVerifiers {
  readonly #world: World;
  readonly #clock: Clock;
  readonly #kept: Map<string, Promise<WebhookVerifier>> = new Map();

  constructor(world: World, clock: Clock) {
    this.#world = world;
    this.#clock = clock;
  }

  /**
   * The verifier of a webhook.
   *
   * @throws {WorkflowNotRegisteredError} if this process does not have the workflow's code
   * @throws {ReplayDivergenceError} if it has other code
   */
  async of({ runId, id }: Pick<HeldName, "runId" | "id">): Promise<WebhookVerifier> {
    const [run] = await this.#world.getRuns([runId]);
    if (run === null || run === undefined) throw new WorkflowRunNotFoundError(runId);
    const key = `${runId}/${run.generation}/${id}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return await known;
    const found = this.#find(run, id);
    this.#kept.set(key, found);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest);
    found.catch(() => this.#kept.delete(key));
    return await found;
  }

  async #find(run: RunRecord, id: string): Promise<WebhookVerifier> {
    const clock = this.#clock;
    const journal = await wholeJournal((...page) => this.#world.listEvents(...page), run);
    checkEngine(journal[0]);
    const { runId, workflow, generation } = run;
    const execution = newExecution({
      runId,
      workflow,
      generation,
      events: journal,
      largestValue: largestValue(this.#world),
      clock: () => clock.now(),
      newToken: () => "not in the journal",
      onActivity: () => {},
      onStray: () => {},
    });
    const removeGuard = installGuard(guardedExecution);
    try {
      await replayJournal(execution, journal, { clock, strict: false, onDifference: () => {} });
      const hook = liveHook(execution, id);
      const verify = hook === undefined ? undefined : WorkflowWebhook.verifierOf(hook);
      if (verify !== undefined) return verify;
    } finally {
      execution.drop();
      removeGuard();
    }
    throw new WorkflowRuntimeError(
      `A webhook of workflow "${workflow}", run "${runId}", has a verify that its code in this process does not have, or has ` +
        "not reached. Deploy the same code to the processes that take requests and to those that execute workflows.",
      { retryable: true },
    );
  }
}
