import { type ResumedHook, type ResumeOptions, takenResumeOptions } from "./api/hooks.ts";
import { clientHere } from "./api/runtime.ts";
import { HookPayloadError } from "./errors/index.ts";
import type { Hook, HookOptions } from "./hooks.ts";
import { checkOptionNames } from "./option-names.ts";
import { copyOf, whenRead } from "./serialization/index.ts";
import type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";
import { createHook } from "./workflow-hooks.ts";

/** Hooks whose payloads have a type, and a schema that they are checked against before they are sent. */

/** Options of `defineHook`. */
export interface DefineHookOptions<Input, Output> {
  /** What payloads must be: a schema of any library that follows Standard Schema. Default: nothing is checked. */
  readonly schema?: StandardSchema<Input, Output>;
}

/** A hook's type: workflows create hooks of it, and others resume them with what it takes. */
export interface DefinedHook<Input, Output> {
  /** Creates a hook in a workflow, as `createHook` does. */
  create(options?: HookOptions): Hook<Output>;
  /**
   * Checks a payload and sends what the schema makes of it, as `resumeHook` does.
   *
   * @throws {HookPayloadError} for a payload that the schema does not take, with its issues; nothing is sent
   * @throws {HookNotFoundError} if no live hook has the token
   */
  resume(
    token: string | { readonly token: string },
    payload: Input,
    options?: Pick<ResumeOptions, "idempotencyKey">,
  ): Promise<ResumedHook>;
}

/**
 * Gives hooks a type, at module level, beside the workflows that create them and the programs that resume them.
 *
 * @example
 * ```ts
 * const approval = defineHook<{ ok: boolean }>();
 * await approval.resume(`approval:${orderId}`, { ok: true });
 * ```
 */
export function defineHook<Input, Output = Input>(
  options: DefineHookOptions<Input, Output> = {},
): DefinedHook<Input, Output> {
  checkOptionNames<DefineHookOptions<Input, Output>>("defineHook()", options, { schema: true });
  const { schema } = options;
  if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function") {
    throw new TypeError(
      'defineHook({ schema }): must be a Standard Schema, which has "~standard". Update the schema library.',
    );
  }
  return {
    create: (hookOptions) => createHook<Output>(hookOptions),
    async resume(tokenOrHook, payload, resumeOptions = {}) {
      const client = clientHere("resume() of a defined hook");
      const options = takenResumeOptions(resumeOptions);
      const send = (value: unknown): Promise<ResumedHook> =>
        whenRead(() => client.resumeHook(token, value, options));
      const token = typeof tokenOrHook === "string" ? tokenOrHook : tokenOrHook.token;
      if (schema === undefined) return await send(payload);
      // A schema may look at the payload later, when it is no longer what was passed.
      return await send(accepted(await schema["~standard"].validate(copyOf(payload))));
    },
  };
}

/** What the schema makes of a payload. @throws {HookPayloadError} if it does not take it */
function accepted<Output>(result: SchemaResult<Output>): Output {
  if (result.issues === undefined) return result.value;
  throw new HookPayloadError(
    result.issues.map(({ message, path = [] }) => ({ message, path: pathText(path) })),
  );
}

function pathText(path: NonNullable<SchemaIssue["path"]>): string {
  return path
    .map((part) => (typeof part === "object" ? part.key : part))
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}
