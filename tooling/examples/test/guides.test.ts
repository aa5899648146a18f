import { continueAsNew, createHook, FatalError, getStepMetadata, sleep, step, workflow } from "perdure";
import { getRun, type Run, resumeHook, start } from "perdure/api";
import { HookNotFoundError } from "perdure/errors";
import { configure, createWorker, sqliteWorld, type Worker } from "perdure/runtime";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

// The samples of the guides: each region is shown in a page of docs/guides, or in docs/get-started.md, and executed here.

const world = sqliteWorld({ path: ":memory:" });
let worker: Worker;

/** What was done outside, in order. */
const done: string[] = [];

beforeAll(async () => {
  configure({ world, worker: false });
  worker = createWorker({ world });
  await worker.start();
});
afterAll(async () => {
  await worker.close();
  await world.close();
});
beforeEach(() => void done.splice(0));
afterEach(() => vi.unstubAllGlobals());

/** Ends the sleeps of a run until its result is there: nobody waits for days in a test. */
async function awake<T>(run: Run<T>): Promise<T> {
  const timer = setInterval(() => void run.wakeUp().catch(() => {}), 20);
  try {
    return await run.returnValue;
  } finally {
    clearInterval(timer);
  }
}

test("a charge", async () => {
  let failures = 1;
  vi.stubGlobal("fetch", async (_url: string, { headers }: { headers: Record<string, string> }) => {
    done.push(headers["Idempotency-Key"] as string);
    if (failures-- > 0) return new Response("later", { status: 503 });
    return Response.json({ id: "ch_1" });
  });
  // #region a charge
  const createCharge = step(
    "createCharge",
    async (customer: string, amount: number) => {
      const { stepId } = getStepMetadata();
      const response = await fetch("https://payments.example/v1/charges", {
        method: "POST",
        headers: { "Idempotency-Key": stepId },
        body: new URLSearchParams({ customer, amount: String(amount) }),
      });
      if (response.status === 402) throw new FatalError("The card was declined");
      if (!response.ok) throw new Error(`The payment service answered ${response.status}`);
      return (await response.json()) as { id: string };
    },
    { maxRetries: 5, backoff: { initial: 500 } },
  );

  const chargeOrder = workflow("chargeOrder", async (customer: string, amount: number) => {
    const charge = await createCharge(customer, amount);
    return { customer, chargeId: charge.id };
  });
  // #endregion
  // #region a charge by a route
  async function postCharge(request: Request): Promise<Response> {
    const order = (await request.json()) as { id: string; customer: string; amount: number };
    const run = await start(chargeOrder, [order.customer, order.amount], { idempotencyKey: order.id });
    return Response.json({ runId: run.runId }, { status: 202 });
  }

  async function getCharge(runId: string): Promise<Response> {
    const run = getRun<{ chargeId: string }>(runId);
    const status = await run.status;
    return Response.json({ status, charge: status === "completed" ? await run.returnValue : null });
  }
  // #endregion
  const body = JSON.stringify({ id: "order_1", customer: "cus_1", amount: 4200 });
  const posts = await Promise.all(
    [1, 2].map(() => postCharge(new Request("http://localhost", { method: "POST", body }))),
  );
  const ids = await Promise.all(posts.map(async (post) => ((await post.json()) as { runId: string }).runId));
  expect(ids[0]).toBe(ids[1]);
  expect(await getRun(ids[0] as string).returnValue).toEqual({ customer: "cus_1", chargeId: "ch_1" });
  expect(await (await getCharge(ids[0] as string)).json()).toMatchObject({ status: "completed" });
  expect(done).toEqual([done[0], done[0]]);
});

test("a saga", async () => {
  const bookFlight = step("bookFlight", async (trip: string) => void done.push(`flight ${trip}`));
  const cancelFlight = step("cancelFlight", async (trip: string) => void done.push(`no flight ${trip}`));
  const bookHotel = step("bookHotel", async (trip: string) => void done.push(`hotel ${trip}`));
  const cancelHotel = step("cancelHotel", async (trip: string) => void done.push(`no hotel ${trip}`));
  const pay = step("pay", async (trip: string) => {
    throw new FatalError(`${trip} cannot be paid`);
  });
  // #region a saga
  const bookTrip = workflow("bookTrip", async (trip: string) => {
    const undo: (() => Promise<unknown>)[] = [];
    try {
      undo.push(() => cancelFlight(trip)); // before the step: it may have done its work and lost its answer
      await bookFlight(trip);
      undo.push(() => cancelHotel(trip));
      await bookHotel(trip);
      await pay(trip);
    } catch (error) {
      for (const compensate of undo.reverse()) await compensate();
      throw error;
    }
  });
  // #endregion
  const run = await start(bookTrip, ["trip_1"]);
  await expect(run.returnValue).rejects.toThrow(/trip_1 cannot be paid/);
  expect(done).toEqual(["flight trip_1", "hotel trip_1", "no hotel trip_1", "no flight trip_1"]);
});

test("an approval", async () => {
  const askManager = step("askManager", async (token: string) => void done.push(token));
  const payOut = step("payOut", async (expense: string) => `${expense} is paid`);
  // #region an approval
  const expenses = workflow("expenses", async (expense: string) => {
    const token = `approval:${expense}`;
    const approval = createHook<{ approved: boolean }>({ token });
    await askManager(token);
    const answer = await Promise.race([approval, sleep("3 days").then(() => null)]);
    if (answer === null) return "nobody answered";
    return answer.approved ? await payOut(expense) : "refused";
  });
  // #endregion
  // #region an answer
  async function answer(token: string, approved: boolean): Promise<Response> {
    try {
      await resumeHook(token, { approved }, { idempotencyKey: "manager" });
      return new Response("thank you");
    } catch (error) {
      if (!HookNotFoundError.is(error)) throw error;
      return new Response("too late", { status: 410 });
    }
  }
  // #endregion
  const run = await start(expenses, ["taxi"]);
  await expect.poll(() => done).toEqual(["approval:taxi"]);
  expect((await answer("approval:taxi", true)).status).toBe(200);
  expect(await run.returnValue).toBe("taxi is paid");
  expect((await answer("approval:taxi", true)).status).toBe(200);
  expect(await awake(await start(expenses, ["train"]))).toBe("nobody answered");
  expect((await answer("approval:train", true)).status).toBe(410);
});

test("schedules", async () => {
  const sendReport = step("sendReport", async (day: string) => void done.push(day));
  // #region every day
  const daily = workflow("daily", async (day: string): Promise<void> => {
    await sendReport(day);
    const next = new Date(`${day}T06:00:00Z`);
    next.setUTCDate(next.getUTCDate() + 1);
    await sleep(next);
    return await continueAsNew([next.toISOString().slice(0, 10)]);
  });
  // #endregion
  const run = await start(daily, ["2099-12-31"], { idempotencyKey: "daily report" });
  const timer = setInterval(() => void run.wakeUp().catch(() => {}), 20);
  await expect.poll(() => done, { timeout: 20_000 }).toEqual(expect.arrayContaining(["2100-01-02"]));
  clearInterval(timer);
  await run.cancel();
  expect(done.slice(0, 3)).toEqual(["2099-12-31", "2100-01-01", "2100-01-02"]);

  const reportOf = workflow("report of a day", async (day: string) => await sendReport(day));
  const today = "2099-01-01";
  // #region by another clock
  const ofToday = await start(reportOf, [today], { idempotencyKey: `report:${today}` });
  // #endregion
  await ofToday.returnValue;
  expect(done.filter((day) => day === today)).toHaveLength(1);

  const remind = workflow("remind", async (at: Date) => {
    await sleep(at);
    await sendReport("reminder");
  });
  // #region once later
  const reminder = await start(remind, [new Date("2099-06-01T09:00:00Z")]);
  await reminder.wakeUp(); // or at once, if somebody asks for it
  // #endregion
  await awake(reminder);
  expect(done.at(-1)).toBe("reminder");
});

test("a job of a queue", async () => {
  const resize = step("resize", async (image: string) => void done.push(image));
  // #region a job
  const resizeImage = workflow("resizeImage", async (image: string) => await resize(image), {
    concurrency: { limit: 10 },
  });
  const job = await start(resizeImage, ["cat.png"], { idempotencyKey: "resize:cat.png" });
  // #endregion
  await job.returnValue;
  expect(done).toEqual(["cat.png"]);
});
