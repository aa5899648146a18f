// What the API reports: each customer's charges as the payment provider has them, and the runs that made them.

import { listRuns, type RunList } from "perdure/api";

/** Where the payment provider is. */
export interface Provider {
  url: string;
  secret: string;
}

export interface CustomerReport {
  customer: string;
  charges: { id: string; amount: number; refunded: boolean }[];
  runs: { runId: string; workflow: string; status: string }[];
}

interface ProvidersCharge {
  id: string;
  amount: number;
  customer: string;
  refunded: boolean;
}

/** The report about one customer, or about all that have a charge or a run, by name. */
export async function reportOf(provider: Provider, only?: string): Promise<CustomerReport[]> {
  const customers = new Map<string, CustomerReport>();
  const of = (customer: string): CustomerReport => {
    const report = customers.get(customer) ?? { customer, charges: [], runs: [] };
    customers.set(customer, report);
    return report;
  };
  for (const { customer, id, amount, refunded } of await chargesOf(provider, only)) {
    of(customer).charges.push({ id, amount, refunded });
  }
  let cursor: string | null = null;
  do {
    const attributes = only === undefined ? {} : { customer: only };
    const page: RunList = await listRuns({ attributes, limit: 1000, cursor });
    for (const { runId, workflowName, status, attributes } of page.runs) {
      const { customer } = attributes;
      if (customer !== undefined) of(customer).runs.push({ runId, workflow: workflowName, status });
    }
    cursor = page.cursor;
  } while (cursor !== null);
  return [...customers.values()].sort((a, b) => (a.customer < b.customer ? -1 : 1));
}

/** All pages of the provider's list, newest first. */
async function chargesOf({ url, secret }: Provider, customer?: string): Promise<ProvidersCharge[]> {
  const all: ProvidersCharge[] = [];
  for (;;) {
    const query = new URLSearchParams({ limit: "100", ...(customer !== undefined && { customer }) });
    const last = all.at(-1);
    if (last) query.set("starting_after", last.id);
    const response = await fetch(`${url}/v1/charges?${query}`, {
      headers: { Authorization: `Bearer ${secret}` },
    });
    if (!response.ok) throw new Error(`The payment provider answered ${response.status}.`);
    const page = (await response.json()) as { data: ProvidersCharge[]; has_more: boolean };
    all.push(...page.data);
    if (!page.has_more) return all;
  }
}
