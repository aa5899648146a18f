/** `bundled`: runs what only a build can run, twice, the second time from the journal alone; prints the results. */
import { start } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { coldReplay, memoryWorld, virtualClock } from "perdure/testing";

// @ts-expect-error: the repository has erasable syntax only, users may have more
export namespace Bank {
  export async function charge(amount: number): Promise<number> {
    "use step";
    using _opened = { [Symbol.dispose]() {} };
    return (await fee()) + amount;
  }
  async function fee(): Promise<number> {
    "use step";
    return 1;
  }
  // @ts-expect-error: the repository has erasable syntax only, users may have more
  export namespace Loans {
    export async function charge(): Promise<string> {
      "use step";
      return "loan";
    }
  }
}

class Teller {
  // @ts-expect-error: the repository has erasable syntax only, users may have more
  constructor(private readonly name: string) {}
  static [Symbol.for("workflow-serialize")](teller: Teller): string {
    return teller.name;
  }
  static [Symbol.for("workflow-deserialize")](name: string): Teller {
    return new Teller(name);
  }
  protected async greet(): Promise<string> {
    "use step";
    return `hello from ${this.name}`;
  }
  static welcome(name: string): Promise<string> {
    return new Teller(name).greet();
  }
}

export async function visit(): Promise<readonly unknown[]> {
  "use workflow";
  using _opened = { [Symbol.dispose]() {} };
  return [await Bank.charge(1), await Bank.Loans.charge(), await Teller.welcome("Ann")];
}

const world = memoryWorld();
configure({ world, worker: false });
const worker = createWorker({ world });
await worker.start();
const run = await start(visit, []);
const result = await run.returnValue;
await worker.close();
const journal = await world.listEvents(run.runId, 0, 100);
const replayed = await coldReplay(
  { runId: run.runId, workflow: journal[0]?.name ?? "" },
  journal,
  virtualClock(),
);
console.log(
  `result ${JSON.stringify({ result, replayed: replayed.outcome, unmatched: replayed.unmatched })}`,
);
console.log(
  `steps ${journal.filter(({ type }) => type === "step_created").map(({ name }) => name?.split("//").at(-1))}`,
);
