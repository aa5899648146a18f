import { Command, InvalidArgumentError, Option } from "commander";
import { FAULTS, type Fault, PLANTS, type SimOptions } from "./config.ts";
import { shrink } from "./shrink.ts";
import { type SimResult, simulate } from "./simulation.ts";

/** `pnpm sim`: simulates clusters of consecutive seeds until one breaks a law. Exit code 1 if one did. */

interface Flags extends SimOptions {
  readonly runs: number;
  readonly verbose?: boolean;
}

const command = new Command("sim")
  .description(
    "Simulates clusters of workers under virtual time, with faults, and checks every law after every write.",
  )
  .option("--seed <n>", "first seed", whole, 1)
  .option("--runs <n>", "how many clusters, with consecutive seeds", whole, 1)
  .option("--workers <n>", "workers of each cluster (default: by seed)", whole)
  .option("--faults <list>", `some of ${FAULTS.join(",")}; or none`, faultList, FAULTS)
  .option("--only <list>", "indices of the programs to execute (default: all)", (text) =>
    text.split(",").map(whole),
  )
  .addOption(new Option("--plant <bug>", "plant a bug in the World").choices(PLANTS))
  .option("--verbose", "a line per cluster");

async function main({ runs, verbose, ...options }: Flags): Promise<void> {
  const sum = { clusters: 0, programs: 0, events: 0, turns: 0, elapsed: 0 };
  for (let seed = options.seed; seed < options.seed + runs; seed++) {
    const result = await simulate({ ...options, seed });
    if (result.broken !== null) {
      await report({ ...options, seed }, result);
      process.exitCode = 1;
      return;
    }
    sum.clusters++;
    sum.programs += result.programs;
    sum.events += result.events;
    sum.turns += result.turns;
    sum.elapsed += result.elapsed;
    if (verbose) console.log(`seed ${seed}: ${line(result)}`);
    if (sum.clusters % 100 === 0 || sum.clusters === runs) {
      console.log(`${sum.clusters} clusters: ${line(sum)}: every law holds`);
    }
  }
}

function line({ programs, events, turns, elapsed }: Omit<SimResult, "broken" | "trace" | "seed">): string {
  return `${programs} runs, ${events} events, ${turns} turns, ${Math.round(elapsed / 1000)} s of virtual time`;
}

async function report(options: SimOptions, failed: SimResult): Promise<void> {
  console.log(`seed ${options.seed} breaks a law. ${failed.broken?.message}`);
  const [smallest, result] = await shrink(options, failed);
  console.log(
    `\nThe smallest cluster that does, and the end of what happened in it:\n  ${commandOf(smallest)}`,
  );
  console.log(`  ${result.broken?.message}\n`);
  for (const entry of result.trace) console.log(`  ${entry}`);
}

/** The command line that does the same again. */
function commandOf({ seed, workers, faults, only, plant }: SimOptions): string {
  const flags = [`--seed ${seed}`, `--faults ${faults.length === 0 ? "none" : faults.join(",")}`];
  if (only !== undefined) flags.push(`--only ${only.join(",")}`);
  if (workers !== undefined) flags.push(`--workers ${workers}`);
  if (plant !== undefined) flags.push(`--plant ${plant}`);
  return `pnpm sim ${flags.join(" ")}`;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("It must be a whole number.");
  return value;
}

function faultList(text: string): readonly Fault[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const fault = FAULTS.find((known) => known === name);
    if (fault === undefined)
      throw new InvalidArgumentError(`It must be some of ${FAULTS.join(",")}, or none.`);
    return fault;
  });
}

await main(command.parse().opts<Flags>());
