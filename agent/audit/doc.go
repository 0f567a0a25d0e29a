// Package audit keeps the chained log of what was decided and done: who asked to hear or take whose call, on what ground, and
// what came of it.
//
// The log is a file of JSON lines. Each line carries the hash of the line before and a hash of itself over its exact bytes, so
// that a line that was altered, removed or moved shows. Beside the file stands a head (the file's name with ".head") that names
// the last line, so that lines cut off the end show too. Without a key the hashes find faults and clumsy hands; who can write the
// file can also write a new chain. With [Options.Key] the hashes are HMACs, and only the holder of the key can write a chain that
// verifies. Whoever can put back an older log together with the head of that time is found by neither; copy the head elsewhere
// from time to time to find him as well.
//
// The one invariant: when [Log.Append] has returned nil, the entry is on the disk, in the chain, and will be found by [Verify].
// When it has returned an error, nothing may be done on the strength of that entry. The log may then hold it all the same, if the
// error came late, for to record what was not done is harmless and the reverse is not.
//
// Entries hold ids of employees and codes. Telephone numbers and names of outside parties do not belong here, and no field takes
// free text.
package audit
