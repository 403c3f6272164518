"""From a recipe and files of pairs to a model folder. The modules in reading order.

recipe, recipe_file                         the settings, each in one place
run, start, out_folder, results             a run, what it starts from, its folder, its results
sources, decontamination, pair_store        pairs from files, cleaned, tokenised once
development, batch_plan                     what is held out, and which pairs share a batch
network, losses, optimisation, fused_engine the module, its losses, steps, loop
finish                                      what changes the weights behind the last step
taught_texts, gathered_texts, crossing      texts that teachers embed
teacher, teacher_file, second_teacher,      the teachers
hub_teacher, ranked_lists                   and rerankers,
teacher_cache, teacher_head, word_scores    what they say, and what is made of it
distillation                                the loss against them
"""
