/** The workflow that several worker processes execute. Every begun body leaves a row in the table `bodies`. */
import { getStepMetadata, step, workflow } from "@perdure/core";
import type pg from "pg";

export function defineProgram(
  schema: string,
  pool: pg.Pool,
): (customer: number, steps: number) => Promise<number> {
  const charge = step("test/shared-charge", async (customer: number) => {
    const values = [getStepMetadata().stepId, process.pid];
    await pool.query(`INSERT INTO ${schema}.bodies (step_id, pid) VALUES ($1, $2)`, values);
    return customer;
  });
  return workflow("test/shared-runs", async (customer: number, steps: number) => {
    let sum = 0;
    for (let step = 0; step < steps; step++) sum += await charge(customer);
    return sum;
  });
}
