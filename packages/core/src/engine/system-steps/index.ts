import { acquireLock } from "./acquire-lock.ts";
import { answerRequest } from "./answer-request.ts";
import { findSuccessor } from "./find-successor.ts";
import { readRun } from "./read-run.ts";
import { releaseLock } from "./release-lock.ts";
import { resumeOrStartStep } from "./resume-or-start.ts";
import { runOnce } from "./run-once.ts";
import { sendMessage } from "./send-message.ts";
import { startRun } from "./start-run.ts";
import type { SystemStep } from "./system-step.ts";
import { wakeUp } from "./wake-up.ts";
import { watchRun } from "./watch-run.ts";
import { watchSignal } from "./watch-signal.ts";

/** The registry of system steps. A new one is a file beside these, and a place in this list. */
const SYSTEM_STEPS: Readonly<Record<string, SystemStep>> = {
  start_run: startRun,
  run_once: runOnce,
  watch_run: watchRun,
  watch_signal: watchSignal,
  read_run: readRun,
  find_successor: findSuccessor,
  send_message: sendMessage,
  resume_or_start: resumeOrStartStep,
  wake_up: wakeUp,
  acquire_lock: acquireLock,
  // The lock of a workflow's `concurrency`; its ids are counted apart, so that those of the code stay when the option comes or goes.
  admit_run: acquireLock,
  release_lock: releaseLock,
  answer_request: answerRequest,
};

/**
 * The system step of this name.
 *
 * @throws {TypeError} for a name that this version does not know: the run is parked until the worker is updated
 */
export function systemStepOf(name: string): SystemStep {
  const step = Object.hasOwn(SYSTEM_STEPS, name) ? SYSTEM_STEPS[name] : undefined;
  if (step !== undefined) return step;
  throw new TypeError(
    `The journal holds a system step ${JSON.stringify(name)}, which this version of perdure does not know: update it.`,
  );
}
