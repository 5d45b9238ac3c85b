/**
 * Every key in Redis. Keys of one account share the hash tag `{accountId}`, keys of one model's pool share
 * `{model:<id>}`, keys of one contract `{chain:<databaseId>}`, of one treasury `{treasury:<chainId>:<address>}`, of
 * one chain's deposits `{deposits:<chainId>}`, the trees of receipts `{receipts}`, so that each script touches one slot of a cluster.
 */
import { parseSuiAddress, type SuiAddress } from '../domain/chain-ids.ts';

export const accountKeys = (accountId: string) => ({
  /** Hash `available reserved settled deposited withdrawn name createdMs`; lives for ever. Its existence is the account's. */
  balance: `{${accountId}}:balance`,
  /** Stream of every movement of money; append-only, never trimmed. */
  entries: `{${accountId}}:entries`,
  /** Stream of usage records, the newest `usageRecordsMax`. */
  usage: `{${accountId}}:usage`,
  /** Hash `request id -> receipt`: as it was settled (JSON) until it is sealed; the newest of the sealed ones are kept. */
  receipts: `{${accountId}}:receipts`,
  /** List of the request ids whose receipts are in no tree yet, oldest first. */
  receiptsUnsealed: `{${accountId}}:receipts-unsealed`,
  /** List of the others, oldest first. */
  receiptsSealed: `{${accountId}}:receipts-sealed`,
  /** Sorted set of open reservations by the end of their lease in ms; a member lives as long as its reservation. */
  leases: `{${accountId}}:leases`,
  /** Hash `reference -> amount` of every deposit; lives for ever, so that no deposit is ever repeated. */
  credits: `{${accountId}}:credits`,
  /** Hash `reference -> taken, refused or returned` of every withdrawal; lives for ever, so that none is repeated. */
  withdrawals: `{${accountId}}:withdrawals`,
  /** Set of the account's key ids; lives for ever. */
  keys: `{${accountId}}:keys`,
  /**
   * Sorted set of the locks on nodes that are not used yet, one text each (stack, key, model, node, address, id), by their
   * end in ms; at most `locksMax`. Lives as long as the newest.
   */
  locks: `{${accountId}}:locks`,
  /** Followed by the digest of a sealed request: string, so that none is taken twice; lives for `sealedMemoryMs`. */
  sealedPrefix: `{${accountId}}:sealed:`,
  /** Followed by a request id: hash of one open reservation, deleted when it ends. */
  openPrefix: `{${accountId}}:open:`,
  /** Followed by a key id: hash of the key's buckets, parallel count, held and spent money; lives for ever. */
  limitsPrefix: `{${accountId}}:limits:`,
});

export const poolKeys = (model: string) => ({
  /**
   * Hash `free held`, and per stack `units:<id> used:<id> live:<id>`, and where its node refused it `out:<id>` (`closed`,
   * or until when it rests, in ms) and `rests:<id>` (how often since it last paid); lives for ever.
   */
  pool: `{model:${model}}:pool`,
  /** Hash `requestId -> units` of open holds; a field lives as long as its hold. */
  holds: `{model:${model}}:holds`,
  /** Sorted set of open holds by the end of their lease in ms. */
  leases: `{model:${model}}:leases`,
});

/** What the indexer knows of one contract, by the id of its database. All live for ever but the lease. */
export const chainKeys = (databaseId: string) => ({
  /** String: the token of whoever follows the chain; lives as long as its lease. */
  lease: `{chain:${databaseId}}:lease`,
  /** Counter: the last token that was given. */
  fence: `{chain:${databaseId}}:fence`,
  /** Hash `json revision`: how far the ledger has been read, and how often that was written. */
  progress: `{chain:${databaseId}}:progress`,
  /** Followed by a table's name: hash `id -> row (JSON)`. */
  tablePrefix: `{chain:${databaseId}}:`,
  /** Hash `node id -> registration (JSON)`: where its owner says that a node listens. */
  registrations: `{chain:${databaseId}}:registrations`,
  /** Followed by a node's id and an owner: set of the hashes of what the owner has said; at most a thousand. */
  statementsPrefix: `{chain:${databaseId}}:statements:`,
  /** Followed by a report's name: string, JSON of how things stand, for operators. */
  reportPrefix: `{chain:${databaseId}}:report:`,
  /** List of samples (JSON) of how much of all stacks had been used, the newest last. */
  useSamples: `{chain:${databaseId}}:use-samples`,
});

/** The trees of all receipts. All live for ever but the lease and the batch. */
export const receiptKeys = {
  /** String: the token of whoever seals; lives as long as its lease. */
  lease: '{receipts}:lease',
  /** Counter: the last token that was given. */
  fence: '{receipts}:fence',
  /** List of the signed roots (JSON), the first one first. */
  roots: '{receipts}:roots',
  /** Hash `number text`: what the last root covers; lives until every receipt has its proof. */
  batch: '{receipts}:batch',
  /** Hash `key:<key id>` (JSON), `until:<key id>` (ms) once another key has signed, and `signer`, who signed the last root. */
  keys: '{receipts}:keys',
} as const;

/** One address may be used on several chains. */
export type TreasuryId = { readonly chainId: string; readonly address: SuiAddress };

/** A treasury as a member of a set. */
export const treasuryToText = ({ chainId, address }: TreasuryId): string => `${chainId}:${address}`;

/** Reads what `treasuryToText` wrote. */
export function treasuryFromText(text: string): TreasuryId {
  const [chainId = '', addressText = '', ...rest] = text.split(':');
  const address = parseSuiAddress(addressText);
  if (!address || rest.length > 0) throw new TypeError(`expected a treasury, got "${text}"`);
  return { chainId, address };
}

/** What the keeper does with the money of one treasury, and what is withdrawn from it. All live for ever but the lease. */
export const treasuryKeys = ({ chainId, address }: TreasuryId) => {
  const treasury = `{treasury:${chainId}:${address}}:`;
  return {
    /** The prefix of all of these, for scripts. */
    treasury,
    /** String: the token of whoever spends; lives as long as its lease. */
    lease: `${treasury}lease`,
    /** Counter: the last token that was given. */
    fence: `${treasury}fence`,
    /** Hash `json revision`: the operation under way (JSON, `null` for none), and how often that was written. */
    operation: `${treasury}operation`,
    /** Sorted set of the ended operations (JSON) by their end in ms. */
    ended: `${treasury}ended`,
    /** Hash `reference -> withdrawal (JSON)`; a field never changes. */
    withdrawals: `${treasury}withdrawals`,
    /** Hash `reference -> state`. */
    withdrawalStates: `${treasury}withdrawal-states`,
    /** Sorted set of the references by the time of the order in ms. */
    withdrawalTimes: `${treasury}withdrawal-times`,
    /** The same of those that are queued or being paid. */
    withdrawalQueue: `${treasury}withdrawal-queue`,
    /** Set of references whose account's money has still to be taken or given back. */
    withdrawalsPending: `${treasury}withdrawals-pending`,
  };
};

/**
 * The book of deposits of one chain: everything about them but the credit itself stands in one slot. All live for ever
 * but the challenges.
 */
export const depositKeys = (chainId: string) => {
  const book = `{deposits:${chainId}}:`;
  return {
    /** The prefix of all of these, for scripts. */
    book,
    /** Hash `deposit id -> deposit (JSON)`: what the chain says; a field never changes. */
    rows: `${book}rows`,
    /** Hash `deposit id -> account id`: whose it is; a field never changes. */
    owners: `${book}owners`,
    /** Set of ids of deposits that have an owner and are not known to be credited. */
    pending: `${book}pending`,
    /** Followed by a payer or nothing: sorted set of ids of deposits without an owner, by checkpoint. */
    waitingPrefix: `${book}waiting:`,
    /** Followed by an account id: sorted set of the ids of its deposits, by checkpoint. */
    ownedPrefix: `${book}owned:`,
    /** Hash `wallet -> account id`; a field never changes. */
    wallets: `${book}wallets`,
    /** Followed by an account id: sorted set of its wallets, by the time of the link in ms. */
    walletsOfPrefix: `${book}wallets-of:`,
    /** Set of linked wallets that may have deposits without an owner. */
    unsorted: `${book}unsorted`,
    /** Followed by an account id: hash `next`, and `number -> challenge (JSON)`; lives as long as the newest. */
    challengesPrefix: `${book}challenges:`,
    /** Followed by the gateway's address: hash `json revision`, how far the ledger has been read. */
    progressPrefix: `${book}progress:`,
  };
};

/** String: JSON of an API key, found by the SHA-256 of its text; lives for ever, also when revoked. */
export const keyRecordKey = (sha256hex: string) => `key:${sha256hex}`;

/** Hash `key` (JSON), `revokedMs`, and `secret:<sha256hex>` per text that the key has had; lives for ever. */
export const keyIndexKey = (keyId: string) => `key-id:${keyId}`;

export const globalKeys = {
  /** Sorted set of account ids by creation in ms; lives for ever. */
  accounts: 'accounts',
  /** Set of the models that have or had a pool; lives for ever. */
  pooledModels: 'pooled-models',
  /** Set of the chains that have a book of deposits; lives for ever. */
  depositBooks: 'deposit-books',
  /** Set of the treasuries, `<chainId>:<address>`, from which somebody withdraws; lives for ever. */
  treasuries: 'treasuries',
  /** Hash `model -> price (JSON)` as the operator set it; lives for ever. */
  prices: 'prices',
  /** Hash `version json` of the models on offer; lives for ever. */
  catalogue: 'catalogue',
  /** Set of the keys (base64) to which nodes' requests are sealed at present; lives for ever. */
  sealingKeys: 'sealing-keys',
} as const;

/** Set of the treasuries, `<chainId>:<address>`, that send coins to this stack owner; lives for ever. */
export const spendersKey = (stackOwner: string) => `spenders:${stackOwner}`;

/** Pub/sub channels; a message is a hint to read again and may get lost. */
export const channels = {
  keys: 'keys-changed',
  prices: 'prices-changed',
  catalogue: 'catalogue-changed',
  causes: 'exchange-broken',
  chain: 'chain-changed',
  stacks: 'stack-refused',
} as const;
