/** The order of texts by their code units, which for ids, digests and types is the order of Sui. */
export const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
