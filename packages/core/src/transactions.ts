/** For `@perdure/transactions`: what a transaction in a step has to know of the step, and the form in which results are stored. */
import { currentContext, type StepContext } from "./context.ts";
import { stepReferenceOf } from "./define/registry.ts";
import { asEncrypted } from "./encryption/encrypted-world.ts";
import { refuseSealedText } from "./encryption/sealed-bytes.ts";
import { ContextError } from "./errors/index.ts";
import { decode, encode } from "./serialization/index.ts";
import type { World } from "./world/index.ts";

export { beforeStepFailure, type FailedStep, type FailureFence } from "./step-failures.ts";

/** The name of a step function; `undefined` for what is none. */
export function stepNameOf(fn: unknown): string | undefined {
  return stepReferenceOf(fn)?.id;
}

/** The attempt of a step that is calling. */
export interface CallingAttempt {
  readonly runId: string;
  readonly stepName: string;
  readonly stepId: string;
  readonly attempt: number;
  /** It goes on although its result no longer counts. */
  readonly isOver: () => boolean;
  /** The same object for every call of one attempt. */
  readonly identity: object;
  /** The text as which a database of the program's keeps a result under this id: encrypted where the run is. `null` for `undefined`. */
  readonly toText: (result: unknown, id: string) => Promise<string | null>;
  /**
   * The result of such a text.
   *
   * @throws {EncryptionError} if it cannot be read here
   */
  readonly fromText: (text: string | null, id: string) => Promise<unknown>;
}

/**
 * The attempt of a step that is calling.
 *
 * @throws {ContextError} that names `what`, outside a step
 */
export function callingAttempt(what: string): CallingAttempt {
  const context = currentContext();
  if (context?.kind !== "step") throw new ContextError(what, "a step");
  return attemptOf(context);
}

function attemptOf(context: StepContext): CallingAttempt {
  const { stepName, stepId, attempt } = context.step;
  const runId = context.workflow.workflowRunId;
  const { world } = context;
  return {
    runId,
    stepName,
    stepId,
    attempt,
    isOver: () => context.isOver,
    identity: context,
    ...textsIn(world),
  };
}

function textsIn(world: World): Pick<CallingAttempt, "toText" | "fromText"> {
  const encrypted = asEncrypted(world);
  const placeOf = (id: string): string => `transactional:${id}`;
  return {
    async toText(result, id) {
      const bytes = encode(result, "result");
      if (bytes === null) return null;
      const text = Buffer.from(bytes).toString("utf8");
      return encrypted === null ? text : await encrypted.sealText(text, placeOf(id));
    },
    async fromText(text, id) {
      if (text === null) return undefined;
      const plain = encrypted === null ? text : await encrypted.openText(text, placeOf(id));
      refuseSealedText(plain);
      return decode(Buffer.from(plain, "utf8"));
    },
  };
}
