"""Reading studies: readers judge cases blindly on their own machine, and the answers are analysed after a lock."""
