// The variants of the workflow that the demo can run, by name. The demo starts runs of one and the workers execute it, beside
// what the API starts.

export type ChargeCustomer = (
  customerId: string,
  amount: number,
) => Promise<{ customerId: string; chargeId: string; status: string }>;

export type Variant = "fetch" | "stripe" | "without-keys";

const variants: Record<Variant, () => Promise<{ chargeCustomer: ChargeCustomer }>> = {
  fetch: () => import("./charge-customer.ts"),
  stripe: () => import("./charge-customer-stripe.ts"),
  "without-keys": () => import("./charge-customer-without-keys.ts"),
};

/** Loads a variant's workflow. Throws for a name that is none. */
export async function loadWorkflow(variant: string): Promise<ChargeCustomer> {
  if (!(variant in variants)) throw new Error(`There is no workflow variant '${variant}'.`);
  return (await variants[variant as Variant]()).chargeCustomer;
}

/** What a worker executes: the variant's workflow, and where there is an API what that starts. */
export async function loadWorkflows(variant: string, api: boolean) {
  const chargeCustomer = await loadWorkflow(variant);
  if (!api) return [chargeCustomer];
  const { chargeOrder, refundOrder } = await import("./orders.ts");
  return [chargeCustomer, chargeOrder, refundOrder];
}
