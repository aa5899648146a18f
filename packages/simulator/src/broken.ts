/** A law that a cluster broke. */
export class SimulationError extends Error {
  /** Its name: one of `laws`, or one of the engine's. */
  readonly law: string;
  /** `simulate({ seeds: [seed], … })` takes the same course again. */
  readonly seed: number;
  /** The run that it is about, or `null`. */
  readonly runId: string | null;
  /** What happened last to that run and to the processes. */
  readonly trace: readonly string[];

  constructor(broken: BrokenLaw, seed: number, trace: readonly string[]) {
    const { law, reason, runId } = broken;
    const [about, last] = [runId === null ? "" : ` (run ${runId})`, trace.slice(-SHOWN).join("\n")];
    super(
      `Seed ${seed} breaks "${law}"${about}: ${reason}\nAgain with simulate({ seeds: [${seed}] }). What happened last:\n${last}`,
      {
        cause: broken.cause,
      },
    );
    this.name = "SimulationError";
    this.law = law;
    this.seed = seed;
    this.runId = runId;
    this.trace = trace;
  }
}

const SHOWN = 25;

/** What `SimulationError` is made of. */
export class BrokenLaw extends Error {
  readonly law: string;
  readonly reason: string;
  readonly runId: string | null;

  constructor(law: string, reason: string, runId: string | null = null, cause?: unknown) {
    super(`${law}: ${reason}`, { cause });
    this.law = law;
    this.reason = reason;
    this.runId = runId;
  }
}
