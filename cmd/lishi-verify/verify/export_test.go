package verify

// Lines is for the test of what a line may hold.
var Lines = lines
