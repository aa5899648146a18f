import { Command, InvalidArgumentError, Option } from "commander";
import { FAULTS, type Fault, PLANTS, type Plant } from "./config.ts";
import { simulate } from "./simulation.ts";

/** `pnpm sim`: simulates clusters of consecutive seeds until one breaks a law. */

interface Flags {
  readonly seed: number;
  readonly runs: number;
  readonly workers?: number;
  readonly faults: readonly Fault[];
  readonly plant?: Plant;
  readonly only?: readonly number[];
  readonly verbose?: boolean;
}

const program = new Command("sim")
  .option("--seed <n>", "first seed", whole, 1)
  .option("--runs <n>", "how many clusters, with consecutive seeds", whole, 1)
  .option("--workers <n>", "workers of each cluster (default: by seed)", whole)
  .option("--faults <list>", `some of ${FAULTS.join(",")}; or none`, faultList, FAULTS)
  .addOption(new Option("--plant <bug>", "plant a bug in the World").choices(PLANTS))
  .option("--only <list>", "indices of the programs to run", (text: string) => text.split(",").map(whole))
  .option("--verbose", "a line per cluster");

async function main(flags: Flags): Promise<void> {
  const { seed: first, runs, verbose } = flags;
  let events = 0;
  let turns = 0;
  let elapsed = 0;
  for (let done = 0; done < runs; ) {
    const result = await simulate({ ...flags, seed: first + done });
    done++;
    events += result.events;
    turns += result.turns;
    elapsed += result.elapsed;
    if (result.broken !== null) {
      console.log(`seed ${result.seed}: ${result.broken.message}`);
      if (result.broken.law === "no engine errors" && result.broken.stack) console.log(result.broken.stack);
      for (const line of result.trace) console.log(`  ${line}`);
      process.exitCode = 1;
      return;
    }
    if (verbose)
      console.log(
        `seed ${result.seed}: ${result.programs} programs, ${result.events} events, ${result.turns} turns, ${result.elapsed / 1000} s`,
      );
    if (done % 100 === 0 || done === runs) {
      console.log(
        `${done} clusters, ${events} events, ${turns} turns, ${Math.round(elapsed / 1000)} s of virtual time: every law holds`,
      );
    }
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("must be a whole number");
  return value;
}

function faultList(text: string): readonly Fault[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const fault = FAULTS.find((known) => known === name);
    if (fault === undefined) throw new InvalidArgumentError(`must be some of ${FAULTS.join(", ")}, or none`);
    return fault;
  });
}

await main(program.parse().opts<Flags>());
