/** A client of a payment provider. */
export async function createCharge(customer: string, cents: number, key: string): Promise<{ id: string }> {
  throw new Error(`a call to the outside: ${customer} ${cents} ${key}`);
}
