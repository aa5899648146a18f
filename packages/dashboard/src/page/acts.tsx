import type { ActRequest, ActResult, RunAct, RunRow, RunStatus } from "../protocol.ts";
import { pathOf, post } from "./api.ts";
import { address, goTo } from "./navigation.ts";
import { ask, Choice, Field, type Question } from "./parts/dialog.tsx";
import { say } from "./parts/notices.tsx";

/** What can be done to one run: each act asks, and says what it did. */

interface ActWords {
  readonly label: string;
  /** Of which runs. */
  readonly fits: readonly RunStatus[];
  readonly danger?: boolean;
}

const OPEN: readonly RunStatus[] = ["pending", "running", "diverged"];
const ENDED: readonly RunStatus[] = ["completed", "failed", "cancelled"];

/** The acts that stand beside a run, in this order. A fork is asked for at its step. */
export const ACTS: Readonly<Record<Exclude<RunAct, "fork">, ActWords>> = {
  retry: { label: "Retry", fits: ["failed", "diverged"] },
  wake: { label: "Wake", fits: ["running"] },
  again: { label: "Start like this", fits: [...OPEN, ...ENDED] },
  cancel: { label: "Cancel", fits: OPEN },
  terminate: { label: "Terminate", fits: OPEN, danger: true },
  delete: { label: "Delete", fits: ENDED, danger: true },
};

/** Asks whether to do it to a run. `args` are its arguments as JSON, where they have such a form. */
export function askFor(act: keyof typeof ACTS, run: RunRow, args: string | null): void {
  ask(questionFor(act, run, args));
}

function questionFor(act: keyof typeof ACTS, run: RunRow, args: string | null): Question {
  switch (act) {
    case "retry":
      return {
        title: `Retry ${run.name}?`,
        body: (
          <>
            <p>
              {run.status === "diverged"
                ? "The run is tried again with the code that is deployed now."
                : "A new run takes over what was completed and executes the rest. It gets this run's key and tokens."}
            </p>
            {run.status === "failed" && (
              <Choice
                name="keys"
                label="The step that failed"
                value="keep"
                options={[
                  {
                    value: "keep",
                    label: "keeps its stepId",
                    hint: "Services that know the idempotency key do not do it twice.",
                  },
                  {
                    value: "new",
                    label: "gets a new stepId",
                    hint: "For services that remember the failure under the key.",
                  },
                ]}
              />
            )}
          </>
        ),
        confirm: "Retry",
        act: (form) =>
          perform(
            run,
            act,
            run.status === "failed" ? { keys: form.get("keys") === "new" ? "new" : "keep" } : {},
          ),
      };
    case "wake":
      return {
        title: `Wake ${run.name}?`,
        body: <p>All sleeps that the run waits for end now, and it goes on.</p>,
        confirm: "Wake it",
        act: () => perform(run, act, {}),
      };
    case "again":
      return {
        title: `Start a run like this one of ${run.name}?`,
        body: (
          <>
            <p>A new run of the same workflow. This one stays as it is.</p>
            <Field name="args" label="Arguments" code value={args ?? ""} hint={ARGS_HINT} />
            <Field
              name="key"
              label="Idempotency key"
              hint="While a run has the key, no second one starts. Empty: none."
            />
          </>
        ),
        confirm: "Start",
        act: (form) => {
          const key = String(form.get("key") ?? "").trim();
          return perform(run, act, { ...changedArgs(form, args), ...(key !== "" && { key }) });
        },
      };
    case "cancel":
      return {
        title: `Cancel ${run.name}?`,
        body: (
          <>
            <p>The run is asked to end: steps under way are aborted, and its code may still clean up.</p>
            <Field name="reason" label="Reason" hint="It is kept with the run. May be left empty." />
          </>
        ),
        confirm: "Cancel the run",
        danger: true,
        act: (form) => perform(run, act, reasonOf(form)),
      };
    case "terminate":
      return {
        title: `Terminate ${run.name}?`,
        body: (
          <>
            <p>The run ends at once, without executing any more of its code: nothing is cleaned up.</p>
            <Field name="reason" label="Reason" hint="It is kept with the run. May be left empty." />
          </>
        ),
        confirm: "Terminate the run",
        danger: true,
        act: (form) => perform(run, act, reasonOf(form)),
      };
    case "delete":
      return {
        title: `Delete ${run.name}?`,
        body: <p>The run, its journal, its values and its streams are deleted. This cannot be undone.</p>,
        confirm: "Delete the run",
        danger: true,
        act: () => perform(run, act, {}),
      };
  }
}

const ARGS_HINT =
  "A JSON array, one item for each argument. Left unchanged: the run's own arguments, as they are stored.";

/** Asks whether to fork a run from one of its steps. */
export function askForFork(
  run: RunRow,
  step: { readonly id: string; readonly label: string },
  args: string | null,
): void {
  ask({
    title: `Fork from ${step.label}?`,
    body: (
      <>
        <p>
          A new run takes over what was completed before <strong>{step.label}</strong> and executes everything
          from there on again. This run stays as it is.
        </p>
        <Field name="args" label="Arguments" code value={args ?? ""} hint={ARGS_HINT} />
      </>
    ),
    confirm: "Fork",
    act: (form) => perform(run, "fork", { fromStep: step.id, ...changedArgs(form, args) }),
  });
}

function reasonOf(form: FormData): ActRequest {
  const reason = String(form.get("reason") ?? "").trim();
  return reason === "" ? {} : { reason };
}

function changedArgs(form: FormData, former: string | null): ActRequest {
  const text = String(form.get("args") ?? "").trim();
  if (text === "" || text === former?.trim()) return {};
  const args: unknown = parseJson(text, "The arguments are");
  if (!Array.isArray(args)) throw new TypeError('The arguments must be a JSON array, such as [1, "two"].');
  return { args };
}

/** @throws {SyntaxError} with a message for the reader */
export function parseJson(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`${subject} not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function perform(run: RunRow, act: RunAct, request: ActRequest): Promise<void> {
  const { said, runId } = await post<ActResult>(pathOf("act", { id: run.runId, act }), request);
  if (act === "delete") {
    say(said);
    goTo(address({}));
  } else if (runId === run.runId) say(said);
  else say(said, { runId });
}
