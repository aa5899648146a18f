"use workflow";

import { WORKFLOW_DESERIALIZE as READ, WORKFLOW_SERIALIZE as WRITE } from "perdure";
import { start } from "perdure/api";
import { gate, note } from "../place.ts";

// The workflows of the file are marked by its first line, its steps by their own.

const write: typeof WRITE = WRITE;

/** A class whose instances are the `this` of steps. */
class Account {
  readonly id: string;
  #fee = 1;

  constructor(id: string) {
    this.id = id;
  }

  static [write](account: Account): string {
    return account.id;
  }

  static [READ](id: string): Account {
    return new Account(id);
  }

  async charge(amount: number): Promise<string> {
    "use step";
    note(`Account#charge ${this.id}`);
    return `${this.id}:${amount + this.#fee}`;
  }

  get balance(): Promise<number> {
    "use step";
    note(`Account#balance ${this.id}`);
    return Promise.resolve(this.id.length);
  }

  set limit(value: number) {
    "use step";
    note(`Account#limit= ${this.id} ${value}`);
  }

  async viaPrivate(): Promise<string> {
    return await this.hidden();
  }

  payer(fee: number): (amount: number) => Promise<string> {
    return async (amount: number) => {
      "use step";
      note(`payer ${this.id}`);
      return `${this.id}:${amount + fee}`;
    };
  }

  private async hidden(): Promise<string> {
    "use step";
    note(`Account#hidden ${this.id}`);
    return "hidden";
  }
}

class Savings extends Account {
  override async charge(amount: number): Promise<string> {
    "use step";
    return `saved ${await super.charge(amount)}`;
  }
}

const tool = <T>(definition: T): T => definition;

const weather = tool({
  execute: async (city: string) => {
    "use step";
    note(`weather ${city}`);
    return `rain in ${city}`;
  },
});
const mail = tool({
  execute: async (to: string) => {
    "use step";
    note(`mail ${to}`);
    return `sent to ${to}`;
  },
});

const bank = {
  rate: 2,
  get fee(): Promise<number> {
    "use step";
    note("bank.fee");
    return Promise.resolve(this.rate);
  },
  async quote(amount: number) {
    "use step";
    note("bank.quote");
    return amount * this.rate;
  },
};

function plain(n: number): number {
  "use step";
  note("plain");
  return n + 1;
}

async function* lines(count: number): AsyncGenerator<string> {
  "use step";
  note("lines");
  for (let n = 0; n < count; n++) yield `line ${n}`;
}

/** A step with a value of its own. */
function adder(by: number): (n: number) => Promise<number> {
  const add = async (n: number) => {
    "use step";
    note(`add ${by}`);
    return n + by;
  };
  return Object.assign(add, { maxRetries: 1 });
}

/** Calls a step that it was given, in a step. */
async function callInStep<T>(add: (n: number) => Promise<T>, n: number): Promise<T> {
  "use step";
  note("callInStep");
  return await add(n);
}

/** Gives functions as its result. */
async function choose() {
  "use step";
  note("choose");
  return { add: adder(100), quote: bank.quote, Account, child };
}

async function waitForGate(): Promise<void> {
  "use step";
  console.log("at the gate");
  await gate("shapes");
}

type Child = (
  add: (n: number) => Promise<number>,
  Class: typeof Account,
  next: Child | null,
) => Promise<readonly unknown[]>;

/** A run of its own that is given steps, a class and a workflow. */
async function child(
  add: (n: number) => Promise<number>,
  Class: typeof Account,
  next: Child | null,
): Promise<readonly unknown[]> {
  "use workflow";
  const made = await new Class("child").charge(await add(1));
  const deeper = next === null ? null : await (await start(next, [add, Class, null])).returnValue;
  return [made, deeper];
}

export async function shapes(id: string): Promise<readonly unknown[]> {
  const account = new Account(id);
  const local = 7;
  const nested = async (n: number) => {
    "use step";
    note("nested");
    return n + local;
  };
  const savings = new Savings("s");
  account.limit = 5;
  const results: unknown[] = [
    await account.charge(10),
    await savings.charge(1),
    await account.balance,
    await account.viaPrivate(),
    await Promise.all([weather.execute("Oslo"), mail.execute("bob")]),
    await bank.fee,
    await bank.quote(3),
    await plain(1),
    await lines(2),
  ];
  for await (const line of lines(1)) results.push(line);
  const two = adder(2);
  results.push(await two(1), await callInStep(two, 2), await callInStep(nested, 1));
  const pay = account.payer(1);
  results.push(await pay(1), await callInStep(pay, 2));
  const { add, quote, Account: Class, child: next } = await choose();
  results.push(await add(1), await adder(3)(1), quote === bank.quote, Class === Account, next === child);
  const run = await start(child, [add, Class, next]);
  results.push(await run.returnValue);
  await waitForGate();
  results.push(await add(5), await new Class("z").charge(0));
  return results;
}
